/* What macOS' libSystem answers, from what a test has recorded with the record_ functions.
 *
 * It answers by the kernel's and dyld's rules (xnu-11417, dyld-1378): what is asked for too small a
 * buffer fails or is cut off, a region's question is answered with the next one, dlsym of a handle
 * looks in the image and in what it needs, dlopen without RTLD_LOCAL shows what was hidden. Memory
 * is read for real. What is the same on Linux (getenv, shm_open) is Linux' own. */
#define _GNU_SOURCE
#include "layouts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 256
enum { KERN_SUCCESS, KERN_INVALID_ADDRESS, KERN_INVALID_ARGUMENT = 4 };

struct image { const char *header; size_t size; const char *path; int hidden; };
struct symbol { const char *header, *name; void *address; };
struct thread { uint64_t tid, handle; struct proc_threadinfo told; };
struct setting { const char *name; const void *data; size_t size; };
struct region { int pid; struct proc_regionwithpathinfo told; };
struct failure { const char *what; int number; };

static struct {
    struct image images[2][MOST];
    int counts[2], list, asks_left, growth;
    struct symbol symbols[MOST];
    struct thread threads[MOST];
    struct proc_taskallinfo processes[MOST];
    struct setting settings[MOST], arguments[MOST];
    struct region regions[MOST];
    struct failure failures[MOST];
    struct mach_task_basic_info basic;
    int num_symbols, num_threads, num_processes, num_settings, num_arguments, num_regions;
    int num_failures, image_format;
} now;
static struct dyld_all_image_infos infos;
static struct dyld_image_info listed_infos[MOST];
uint32_t mach_task_self_ = 0x103;
int open_handles, last_mode, blas_threading;
extern char **environ;

void record_nothing(void)
{
    memset(&now, 0, sizeof now);
    memset(&infos, 0, sizeof infos);
    now.asks_left = -1;
    now.image_format = 1;
    open_handles = last_mode = blas_threading = 0;
}

/* Images: the second list is given after so many questions for their number. */

void record_image(int list, const void *header, size_t size, const char *path, int hidden)
{
    now.images[list][now.counts[list]++] = (struct image){header, size, strdup(path), hidden};
}

void record_change(int asks, int growth) { now.asks_left = asks; now.growth = growth; }

uint32_t _dyld_image_count(void)
{
    if (now.asks_left >= 0 && now.asks_left-- == 0)
        now.list = 1;
    now.counts[now.list] += now.growth;
    return now.counts[now.list];
}

static const struct image *at(uint32_t index)
{
    return index < MOST && index < (uint32_t)now.counts[now.list] ? &now.images[now.list][index] : 0;
}

const void *_dyld_get_image_header(uint32_t index) { return at(index) ? at(index)->header : 0; }
const char *_dyld_get_image_name(uint32_t index) { return at(index) ? at(index)->path : 0; }

void record_infos(uint32_t version, uint32_t count, uint64_t timestamp, int writing)
{
    infos.version = version;
    infos.infoArrayCount = count;
    infos.infoArrayChangeTimestamp = timestamp;
    infos.infoArray = writing ? NULL : listed_infos;
    for (int i = 0; i < now.counts[now.list]; i++) {
        const struct image *image = &now.images[now.list][i];
        listed_infos[i] = (struct dyld_image_info){image->header, image->path, 0};
    }
}

/* The loader. */

void record_symbol(const void *header, const char *name, void *address)
{
    now.symbols[now.num_symbols++] = (struct symbol){header, strdup(name), address};
}

void *dlopen(const char *path, int mode)
{
    last_mode = mode;
    for (int i = 0; i < now.counts[now.list]; i++) {
        struct image *image = &now.images[now.list][i];
        if (strcmp(image->path, path))
            continue;
        if (!(mode & 0x4)) /* RTLD_LOCAL */
            image->hidden = 0;
        open_handles++;
        return image;
    }
    return NULL;
}

int dlclose(void *handle) { open_handles--; return handle ? 0 : -1; }

static void *symbol_of(const struct image *image, const char *name)
{
    for (int i = 0; i < now.num_symbols; i++)
        if (now.symbols[i].header == image->header && !strcmp(now.symbols[i].name, name))
            return now.symbols[i].address;
    return NULL;
}

void *dlsym(void *handle, const char *name)
{
    void *found = handle == (void *)-2 ? NULL : symbol_of(handle, name);
    for (int i = 0; !found && i < now.counts[now.list]; i++)
        if (!now.images[now.list][i].hidden)
            found = symbol_of(&now.images[now.list][i], name);
    return found;
}

struct dl_info { const char *dli_fname; const void *dli_fbase; const char *dli_sname; void *dli_saddr; };

int dladdr(const char *address, struct dl_info *info)
{
    for (int i = 0; i < now.counts[now.list]; i++) {
        const struct image *image = &now.images[now.list][i];
        if (address >= image->header && address < image->header + image->size) {
            *info = (struct dl_info){image->path, image->header, NULL, NULL};
            return 1;
        }
    }
    return 0;
}

int BLASGetThreading(void) { return blas_threading; }

char ***_NSGetEnviron(void) { return &environ; }

/* The kernel. */

void record_failure(const char *what, int number)
{
    now.failures[now.num_failures++] = (struct failure){strdup(what), number};
}

static int failure(const char *what)
{
    for (int i = 0; i < now.num_failures; i++)
        if (!strcmp(now.failures[i].what, what))
            return now.failures[i].number;
    return 0;
}

static int refused(int number) { errno = number; return -1; }

int mach_vm_read_overwrite(uint32_t task, uint64_t address, uint64_t size, uint64_t data,
                           uint64_t *copied)
{
    if (address == (uint64_t)&infos && failure("time never stands still"))
        infos.infoArrayChangeTimestamp++;
    struct iovec there = {(void *)address, size}, here = {(void *)data, size};
    if (task != mach_task_self_ || failure("mach_vm_read_overwrite"))
        return failure("mach_vm_read_overwrite");
    if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)size)
        return KERN_INVALID_ADDRESS;
    *copied = size;
    return KERN_SUCCESS;
}

void record_memory(uint64_t resident, uint64_t most)
{
    now.basic.resident_size = resident;
    now.basic.resident_size_max = most;
}

void record_image_format(int format) { now.image_format = format; }

int task_info(uint32_t task, uint32_t flavor, void *answer, uint32_t *count)
{
    struct task_dyld_info dyld = {(uint64_t)&infos, sizeof infos, now.image_format};
    const void *from = flavor == 17 ? (void *)&dyld : (void *)&now.basic;
    uint32_t words = (flavor == 17 ? sizeof dyld : sizeof now.basic) / 4;
    if (task != mach_task_self_ || (flavor != 17 && flavor != 20) || *count < words)
        return KERN_INVALID_ARGUMENT;
    if (failure("task_info"))
        return failure("task_info");
    memcpy(answer, from, words * 4);
    *count = words;
    return KERN_SUCCESS;
}

uint64_t record_pthread(uint64_t tid, uint64_t start, uint64_t argument)
{
    struct pthread_s *made = aligned_alloc(16, sizeof *made);
    memset(made, 0xEE, sizeof *made);
    made->thread_id = tid;
    made->fun = (void *(*)(void *))start;
    made->arg = (void *)argument;
    return (uint64_t)&made->tsd;
}

void record_thread(uint64_t tid, uint64_t handle, const char *name, int state, uint64_t user,
                   uint64_t system)
{
    struct thread *made = &now.threads[now.num_threads++];
    *made = (struct thread){.tid = tid, .handle = handle};
    made->told.pth_user_time = user;
    made->told.pth_system_time = system;
    made->told.pth_run_state = state;
    memcpy(made->told.pth_name, name, strlen(name)); /* 64 characters have no zero */
}

void record_process(int pid, int parent, const char *comm, const char *name, uint32_t flags,
                    int threads, int priority, int nice, uint64_t started, uint64_t started_us,
                    uint64_t size, uint64_t user, uint64_t system)
{
    struct proc_taskallinfo *made = &now.processes[now.num_processes++];
    made->pbsd.pbi_pid = pid;
    made->pbsd.pbi_ppid = parent;
    made->pbsd.pbi_flags = flags;
    made->pbsd.pbi_nice = nice;
    made->pbsd.pbi_start_tvsec = started;
    made->pbsd.pbi_start_tvusec = started_us;
    strncpy(made->pbsd.pbi_comm, comm, 15);
    strncpy(made->pbsd.pbi_name, name, 31);
    made->ptinfo.pti_virtual_size = size;
    made->ptinfo.pti_total_user = user;
    made->ptinfo.pti_total_system = system;
    made->ptinfo.pti_threadnum = threads;
    made->ptinfo.pti_priority = priority;
}

void record_region(int pid, uint64_t address, uint64_t size, uint32_t protection, uint32_t device,
                   uint64_t inode, uint16_t links, const char *path)
{
    struct region *made = &now.regions[now.num_regions++];
    made->pid = pid;
    made->told.prp_prinfo.pri_address = address;
    made->told.prp_prinfo.pri_size = size;
    made->told.prp_prinfo.pri_protection = protection;
    made->told.prp_vip.vip_vi.vi_stat.vst_dev = device;
    made->told.prp_vip.vip_vi.vi_stat.vst_ino = inode;
    made->told.prp_vip.vip_vi.vi_stat.vst_nlink = links;
    strcpy(made->told.prp_vip.vip_path, path);
}

static int given(void *buffer, int room, const void *from, size_t size)
{
    if (room < (int)size)
        return refused(ENOMEM), 0;
    memcpy(buffer, from, size);
    return size;
}

static int listed(uint64_t *buffer, int room, int handles)
{
    int number = 0;
    for (; number < now.num_threads && number < room / 8; number++)
        buffer[number] = handles ? now.threads[number].handle : now.threads[number].tid;
    return number * 8;
}

int proc_pidinfo(int pid, int flavor, uint64_t arg, void *buffer, int room)
{
    const struct proc_taskallinfo *process = NULL;
    for (int i = 0; i < now.num_processes; i++)
        if ((int)now.processes[i].pbsd.pbi_pid == pid)
            process = &now.processes[i];
    if (failure("proc_pidinfo"))
        return refused(failure("proc_pidinfo")), 0;
    if (!process)
        return refused(ESRCH), 0;
    if (flavor == 2)
        return given(buffer, room, process, sizeof *process);
    if (flavor == 4)
        return given(buffer, room, &process->ptinfo, sizeof process->ptinfo);
    if (flavor == 6 || flavor == 28)
        return listed(buffer, room, flavor == 6);
    for (int i = 0; flavor == 15 && i < now.num_threads; i++)
        if (now.threads[i].tid == arg)
            return given(buffer, room, &now.threads[i].told, sizeof now.threads[i].told);
    const struct proc_regionwithpathinfo *next = NULL;
    for (int i = 0; flavor == 22 && i < now.num_regions; i++) {
        const struct proc_regionwithpathinfo *told = &now.regions[i].told;
        const struct proc_regioninfo *region = &told->prp_prinfo;
        int behind = region->pri_address + region->pri_size > arg || failure("regions stand still");
        if (now.regions[i].pid == pid && behind &&
            (!next || region->pri_address < next->prp_prinfo.pri_address))
            next = told;
    }
    if (next)
        return given(buffer, room, next, sizeof *next);
    if (flavor == 22 && failure("behind the regions"))
        return refused(failure("behind the regions")), 0;
    return refused(flavor == 15 ? ESRCH : EINVAL), 0;
}

int proc_listpids(uint32_t type, uint32_t parent, int *buffer, int room)
{
    int number = 0;
    if (failure("proc_listpids"))
        return refused(failure("proc_listpids")), 0;
    for (int i = 0; type == 6 && i < now.num_processes && number < room / 4; i++)
        if (now.processes[i].pbsd.pbi_ppid == parent)
            buffer[number++] = now.processes[i].pbsd.pbi_pid;
    return number * 4;
}

void record_sysctl(const char *name, const void *data, size_t size)
{
    now.settings[now.num_settings++] =
        (struct setting){strdup(name), memcpy(malloc(size + 1), data, size), size};
}

void record_arguments(int pid, const void *data, size_t size)
{
    now.arguments[now.num_arguments++] =
        (struct setting){(char *)(intptr_t)pid, memcpy(malloc(size + 1), data, size), size};
}

int sysctlbyname(const char *name, void *buffer, size_t *size, void *to, size_t to_size)
{
    for (int i = 0; i < now.num_settings && !to && !to_size; i++) {
        if (strcmp(now.settings[i].name, name))
            continue;
        if (now.settings[i].size > *size)
            return refused(ENOMEM);
        *size = now.settings[i].size;
        memcpy(buffer, now.settings[i].data, *size);
        return 0;
    }
    return refused(ENOENT);
}

int sysctl(int *which, uint32_t length, void *buffer, size_t *size, void *to, size_t to_size)
{
    if (length != 3 || which[0] != 1 || which[1] != 49 || to || to_size)
        return refused(ENOENT);
    if (failure("sysctl"))
        return refused(failure("sysctl"));
    for (int i = 0; i < now.num_arguments; i++) {
        struct setting *told = &now.arguments[i];
        if ((intptr_t)told->name != which[2])
            continue;
        if (!buffer) { /* the kernel rounds it up to a multiple of an int */
            *size = (told->size + 3) / 4 * 4;
        } else {
            *size = *size < told->size ? *size : told->size;
            memcpy(buffer, told->data, *size);
        }
        return 0;
    }
    return refused(EINVAL);
}

/* Where the fields lie, for a comparison with those of the other language. */

#define SIZE(type) {#type, sizeof(struct type)}
#define PLACE(type, field) {#type "." #field, offsetof(struct type, field)}
static const struct { const char *name; size_t value; } layouts[] = {
#include "fields.h"
};

size_t record_layout(const char *name)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (!strcmp(layouts[i].name, name))
            return layouts[i].value;
    return (size_t)-1;
}

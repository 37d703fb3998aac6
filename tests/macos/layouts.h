/* How macOS lays out what it answers with, for 64 bits, written down from Apple's headers:
 *   xnu-11417: bsd/sys/proc_info.h, osfmk/mach/task_info.h
 *   dyld-1378: include/mach-o/dyld_images.h
 *   libpthread-539: src/types_internal.h
 * The C compiler lays them out as Apple's does: both follow the System V and AAPCS64 rules, which
 * are the same for these types. The numbers that are asserted are those Apple's own code has:
 * PROC_PIDTASKALLINFO_SIZE and the like are their sizes, libpthread's private/pthread/private.h and
 * src/offsets_internal.h have those of a thread, and dyld's dyld_process_info_internal.h has
 * struct dyld_all_image_infos_64 with types of fixed width. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc_bsdinfo {
    uint32_t pbi_flags, pbi_status, pbi_xstatus, pbi_pid, pbi_ppid;
    uint32_t pbi_uid, pbi_gid, pbi_ruid, pbi_rgid, pbi_svuid, pbi_svgid, rfu_1;
    char pbi_comm[16], pbi_name[32];
    uint32_t pbi_nfiles, pbi_pgid, pbi_pjobc, e_tdev, e_tpgid;
    int32_t pbi_nice;
    uint64_t pbi_start_tvsec, pbi_start_tvusec;
};
_Static_assert(sizeof(struct proc_bsdinfo) == 136, "proc_bsdinfo");

struct proc_taskinfo {
    uint64_t pti_virtual_size, pti_resident_size;
    uint64_t pti_total_user, pti_total_system, pti_threads_user, pti_threads_system;
    int32_t pti_policy, pti_faults, pti_pageins, pti_cow_faults;
    int32_t pti_messages_sent, pti_messages_received, pti_syscalls_mach, pti_syscalls_unix;
    int32_t pti_csw, pti_threadnum, pti_numrunning, pti_priority;
};
_Static_assert(sizeof(struct proc_taskinfo) == 96, "proc_taskinfo");

struct proc_taskallinfo {
    struct proc_bsdinfo pbsd;
    struct proc_taskinfo ptinfo;
};
_Static_assert(sizeof(struct proc_taskallinfo) == 232, "proc_taskallinfo");

struct proc_threadinfo {
    uint64_t pth_user_time, pth_system_time;
    int32_t pth_cpu_usage, pth_policy, pth_run_state, pth_flags;
    int32_t pth_sleep_time, pth_curpri, pth_priority, pth_maxpriority;
    char pth_name[64];
};
_Static_assert(sizeof(struct proc_threadinfo) == 112, "proc_threadinfo");

struct proc_regioninfo {
    uint32_t pri_protection, pri_max_protection, pri_inheritance, pri_flags;
    uint64_t pri_offset;
    uint32_t pri_behavior, pri_user_wired_count, pri_user_tag, pri_pages_resident;
    uint32_t pri_pages_shared_now_private, pri_pages_swapped_out, pri_pages_dirtied, pri_ref_count;
    uint32_t pri_shadow_depth, pri_share_mode, pri_private_pages_resident;
    uint32_t pri_shared_pages_resident, pri_obj_id, pri_depth;
    uint64_t pri_address, pri_size;
};
_Static_assert(sizeof(struct proc_regioninfo) == 96, "proc_regioninfo");

struct vinfo_stat {
    uint32_t vst_dev;
    uint16_t vst_mode, vst_nlink;
    uint64_t vst_ino;
    uint32_t vst_uid, vst_gid;
    int64_t vst_atime, vst_atimensec, vst_mtime, vst_mtimensec;
    int64_t vst_ctime, vst_ctimensec, vst_birthtime, vst_birthtimensec;
    int64_t vst_size, vst_blocks;
    int32_t vst_blksize;
    uint32_t vst_flags, vst_gen, vst_rdev;
    int64_t vst_qspare[2];
};
_Static_assert(sizeof(struct vinfo_stat) == 136, "vinfo_stat");

struct vnode_info {
    struct vinfo_stat vi_stat;
    int vi_type, vi_pad;
    struct { int32_t val[2]; } vi_fsid;
};

struct vnode_info_path {
    struct vnode_info vip_vi;
    char vip_path[1024]; /* MAXPATHLEN */
};

struct proc_regionwithpathinfo {
    struct proc_regioninfo prp_prinfo;
    struct vnode_info_path prp_vip;
};
_Static_assert(sizeof(struct proc_regionwithpathinfo) == 1272, "proc_regionwithpathinfo");

typedef struct { int32_t seconds, microseconds; } time_value_t;

#pragma pack(push, 4)
struct task_dyld_info {
    uint64_t all_image_info_addr, all_image_info_size;
    int32_t all_image_info_format;
};
struct mach_task_basic_info {
    uint64_t virtual_size, resident_size, resident_size_max;
    time_value_t user_time, system_time;
    int32_t policy, suspend_count;
};
#pragma pack(pop)
_Static_assert(sizeof(struct task_dyld_info) == 20, "TASK_DYLD_INFO_COUNT is 5");
_Static_assert(sizeof(struct mach_task_basic_info) == 48, "MACH_TASK_BASIC_INFO_COUNT is 12");

struct dyld_image_info {
    const void *imageLoadAddress;
    const char *imageFilePath;
    uintptr_t imageFileModDate;
};
_Static_assert(sizeof(struct dyld_image_info) == 24, "dyld_image_info");

struct __attribute__((aligned(16))) dyld_all_image_infos {
    uint32_t version, infoArrayCount;
    const void *infoArray;
    void (*notification)(void);
    bool processDetachedFromSharedRegion, libSystemInitialized;
    const void *dyldImageLoadAddress;
    void *jitInfo;
    const char *dyldVersion, *errorMessage;
    uintptr_t terminationFlags;
    void *coreSymbolicationShmPage;
    uintptr_t systemOrderFlag, uuidArrayCount;
    const void *uuidArray;
    struct dyld_all_image_infos *dyldAllImageInfosAddress;
    uintptr_t initialImageCount, errorKind;
    const char *errorClientOfDylibPath, *errorTargetDylibPath, *errorSymbol;
    uintptr_t sharedCacheSlide;
    uint8_t sharedCacheUUID[16];
    uintptr_t sharedCacheBaseAddress;
    uint64_t infoArrayChangeTimestamp;
    const char *dyldPath;
    uint32_t notifyPorts[8];
};
_Static_assert(offsetof(struct dyld_all_image_infos, infoArrayChangeTimestamp) == 184, "timestamp");

struct pthread_s {
    long sig;
    void *__cleanup_stack;
    struct { struct pthread_s *tqe_next, **tqe_prev; } tl_plist;
    void *tl_join_ctx, *tl_exit_value;
    uint8_t tl_policy, tl_bits;
    uint16_t introspection;
    uint32_t tl_exit_gate;
    struct { int sched_priority; char opaque[4]; } tl_param;
    void *__unused_padding;
    uint32_t lock;
    uint16_t max_tsd_key, flags;
    char pthread_name[64];
    void *(*fun)(void *);
    void *arg;
    int wq_nevents;
    bool wq_outsideqos;
    uint8_t canceled;
    uint16_t cancel_state;
    int cancel_error, err_no;
    void *stackaddr, *stackbottom, *freeaddr;
    size_t freesize, guardsize;
    __attribute__((aligned(8))) uint64_t thread_id;
    __attribute__((aligned(16))) void *tsd[4];
};
_Static_assert(offsetof(struct pthread_s, tsd) == 224, "_PTHREAD_STRUCT_DIRECT_TSD_OFFSET");
_Static_assert(offsetof(struct pthread_s, thread_id) == 224 - 8,
               "_PTHREAD_STRUCT_DIRECT_THREADID_OFFSET");
_Static_assert(offsetof(struct pthread_s, stackaddr) == 224 - 48,
               "_PTHREAD_STRUCT_DIRECT_STACKADDR_OFFSET");
_Static_assert(offsetof(struct pthread_s, stackbottom) == 224 - 40,
               "_PTHREAD_STRUCT_DIRECT_STACKBOTTOM_OFFSET");

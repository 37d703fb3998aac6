"""How macOS lays out what it answers with: for 64 bits, on Intel and Apple silicon alike.

Each structure is in its header's order, with its header's names; sizes and offsets were compared
with a C compiler's on Linux (tests/macos/libsystem.c), never on a Mac.
"""

from __future__ import annotations

from ctypes import (
    Structure,
    c_char,
    c_int32,
    c_int64,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
)

# xnu, bsd/sys/proc_info.h and (28, 22) proc_info_private.h: flavors of proc_pidinfo.
PROC_PIDTASKALLINFO = 2
PROC_PIDTASKINFO = 4
PROC_PIDLISTTHREADS = 6
PROC_PIDTHREADID64INFO = 15
PROC_PIDREGIONPATHINFO2 = 22
PROC_PIDLISTTHREADIDS = 28
PROC_PPID_ONLY, PROC_UID_ONLY = 6, 4

# osfmk/mach/task_info.h: flavors of task_info.
TASK_DYLD_INFO = 17
MACH_TASK_BASIC_INFO = 20

# bsd/sys/sysctl.h.
CTL_KERN, KERN_PROCARGS2 = 1, 49

# bsd/sys/proc_info.h, and osfmk/mach/task_policy.h for those from 0x8000 on.
PROC_FLAG_EXEC = 0x4000
PROC_FLAG_DARWINBG = 0x8000
PROC_FLAG_EXT_DARWINBG = 0x10000
PROC_FLAG_SUPPRESSED = 0x800000

# osfmk/kern/sched.h: MAXPRI_THROTTLE, BASEPRI_UTILITY.
MAXPRI_THROTTLE, BASEPRI_UTILITY = 4, 20

VM_PROT_WRITE, VM_PROT_EXECUTE = 2, 4
"""osfmk/mach/vm_prot.h."""

FIRST_WITH_TIMESTAMP = 15
"""The version of `AllImageInfos` since which it has infoArrayChangeTimestamp (macOS 10.12)."""


class ProcBsdInfo(Structure):
    """struct proc_bsdinfo, bsd/sys/proc_info.h."""

    _fields_ = (
        ("pbi_flags", c_uint32),
        ("pbi_status", c_uint32),
        ("pbi_xstatus", c_uint32),
        ("pbi_pid", c_uint32),
        ("pbi_ppid", c_uint32),
        ("pbi_uid", c_uint32),
        ("pbi_gid", c_uint32),
        ("pbi_ruid", c_uint32),
        ("pbi_rgid", c_uint32),
        ("pbi_svuid", c_uint32),
        ("pbi_svgid", c_uint32),
        ("rfu_1", c_uint32),
        ("pbi_comm", c_char * 16),
        ("pbi_name", c_char * 32),
        ("pbi_nfiles", c_uint32),
        ("pbi_pgid", c_uint32),
        ("pbi_pjobc", c_uint32),
        ("e_tdev", c_uint32),
        ("e_tpgid", c_uint32),
        ("pbi_nice", c_int32),
        ("pbi_start_tvsec", c_uint64),
        ("pbi_start_tvusec", c_uint64),
    )


class ProcTaskInfo(Structure):
    """struct proc_taskinfo, bsd/sys/proc_info.h."""

    _fields_ = (
        ("pti_virtual_size", c_uint64),
        ("pti_resident_size", c_uint64),
        ("pti_total_user", c_uint64),
        ("pti_total_system", c_uint64),
        ("pti_threads_user", c_uint64),
        ("pti_threads_system", c_uint64),
        ("pti_policy", c_int32),
        ("pti_faults", c_int32),
        ("pti_pageins", c_int32),
        ("pti_cow_faults", c_int32),
        ("pti_messages_sent", c_int32),
        ("pti_messages_received", c_int32),
        ("pti_syscalls_mach", c_int32),
        ("pti_syscalls_unix", c_int32),
        ("pti_csw", c_int32),
        ("pti_threadnum", c_int32),
        ("pti_numrunning", c_int32),
        ("pti_priority", c_int32),
    )


class ProcTaskAllInfo(Structure):
    """struct proc_taskallinfo, bsd/sys/proc_info.h."""

    _fields_ = (("pbsd", ProcBsdInfo), ("ptinfo", ProcTaskInfo))


class ProcThreadInfo(Structure):
    """struct proc_threadinfo, bsd/sys/proc_info.h; times in ns."""

    _fields_ = (
        ("pth_user_time", c_uint64),
        ("pth_system_time", c_uint64),
        ("pth_cpu_usage", c_int32),
        ("pth_policy", c_int32),
        ("pth_run_state", c_int32),
        ("pth_flags", c_int32),
        ("pth_sleep_time", c_int32),
        ("pth_curpri", c_int32),
        ("pth_priority", c_int32),
        ("pth_maxpriority", c_int32),
        ("pth_name", c_char * 64),
    )


class ProcRegionInfo(Structure):
    """struct proc_regioninfo, bsd/sys/proc_info.h."""

    _fields_ = (
        ("pri_protection", c_uint32),
        ("pri_max_protection", c_uint32),
        ("pri_inheritance", c_uint32),
        ("pri_flags", c_uint32),
        ("pri_offset", c_uint64),
        ("pri_behavior", c_uint32),
        ("pri_user_wired_count", c_uint32),
        ("pri_user_tag", c_uint32),
        ("pri_pages_resident", c_uint32),
        ("pri_pages_shared_now_private", c_uint32),
        ("pri_pages_swapped_out", c_uint32),
        ("pri_pages_dirtied", c_uint32),
        ("pri_ref_count", c_uint32),
        ("pri_shadow_depth", c_uint32),
        ("pri_share_mode", c_uint32),
        ("pri_private_pages_resident", c_uint32),
        ("pri_shared_pages_resident", c_uint32),
        ("pri_obj_id", c_uint32),
        ("pri_depth", c_uint32),
        ("pri_address", c_uint64),
        ("pri_size", c_uint64),
    )


class VinfoStat(Structure):
    """struct vinfo_stat, bsd/sys/proc_info.h."""

    _fields_ = (
        ("vst_dev", c_uint32),
        ("vst_mode", c_uint16),
        ("vst_nlink", c_uint16),
        ("vst_ino", c_uint64),
        ("vst_uid", c_uint32),
        ("vst_gid", c_uint32),
        ("vst_atime", c_int64),
        ("vst_atimensec", c_int64),
        ("vst_mtime", c_int64),
        ("vst_mtimensec", c_int64),
        ("vst_ctime", c_int64),
        ("vst_ctimensec", c_int64),
        ("vst_birthtime", c_int64),
        ("vst_birthtimensec", c_int64),
        ("vst_size", c_int64),
        ("vst_blocks", c_int64),
        ("vst_blksize", c_int32),
        ("vst_flags", c_uint32),
        ("vst_gen", c_uint32),
        ("vst_rdev", c_uint32),
        ("vst_qspare", c_int64 * 2),
    )


class RegionWithPath(Structure):
    """struct proc_regionwithpathinfo, bsd/sys/proc_info.h, its inner structures laid out flat.

    prp_prinfo is ``region``; prp_vip is what follows: vip_vi (vi_stat, vi_type, vi_pad, vi_fsid)
    and vip_path of MAXPATHLEN.
    """

    _fields_ = (
        ("region", ProcRegionInfo),
        ("vi_stat", VinfoStat),
        ("vi_type", c_int32),
        ("vi_pad", c_int32),
        ("vi_fsid", c_int32 * 2),
        ("vip_path", c_char * 1024),
    )


class TaskDyldInfo(Structure):
    """struct task_dyld_info, osfmk/mach/task_info.h; packed to 4 bytes there."""

    _pack_ = 4
    _fields_ = (
        ("all_image_info_addr", c_uint64),
        ("all_image_info_size", c_uint64),
        ("all_image_info_format", c_int32),
    )


class MachTaskBasicInfo(Structure):
    """struct mach_task_basic_info, osfmk/mach/task_info.h; packed to 4 bytes there."""

    _pack_ = 4
    _fields_ = (
        ("virtual_size", c_uint64),
        ("resident_size", c_uint64),
        ("resident_size_max", c_uint64),
        ("user_time", c_int32 * 2),
        ("system_time", c_int32 * 2),
        ("policy", c_int32),
        ("suspend_count", c_int32),
    )


class ImageInfo(Structure):
    """struct dyld_image_info, dyld's include/mach-o/dyld_images.h."""

    _fields_ = (
        ("imageLoadAddress", c_uint64),
        ("imageFilePath", c_uint64),
        ("imageFileModDate", c_uint64),
    )


class AllImageInfos(Structure):
    """struct dyld_all_image_infos, dyld's include/mach-o/dyld_images.h, as far as it is read."""

    _fields_ = (
        ("version", c_uint32),
        ("infoArrayCount", c_uint32),
        ("infoArray", c_uint64),
        ("notification", c_uint64),
        ("processDetachedFromSharedRegion", c_uint8),
        ("libSystemInitialized", c_uint8),
        ("dyldImageLoadAddress", c_uint64),
        ("jitInfo", c_uint64),
        ("dyldVersion", c_uint64),
        ("errorMessage", c_uint64),
        ("terminationFlags", c_uint64),
        ("coreSymbolicationShmPage", c_uint64),
        ("systemOrderFlag", c_uint64),
        ("uuidArrayCount", c_uint64),
        ("uuidArray", c_uint64),
        ("dyldAllImageInfosAddress", c_uint64),
        ("initialImageCount", c_uint64),
        ("errorKind", c_uint64),
        ("errorClientOfDylibPath", c_uint64),
        ("errorTargetDylibPath", c_uint64),
        ("errorSymbol", c_uint64),
        ("sharedCacheSlide", c_uint64),
        ("sharedCacheUUID", c_uint8 * 16),
        ("sharedCacheBaseAddress", c_uint64),
        ("infoArrayChangeTimestamp", c_uint64),
    )


class PthreadTail(Structure):
    """What struct pthread_s holds right before ``tsd``; libpthread's src/types_internal.h.

    So laid out since libpthread 416 (macOS 10.15); the kernel knows a thread by the address of
    ``tsd`` (osfmk/kern/thread.c, thread_info_internal: thread_handle).
    """

    _fields_ = (
        ("fun", c_uint64),
        ("arg", c_uint64),
        ("wq_nevents", c_int32),
        ("wq_outsideqos", c_uint8),
        ("canceled", c_uint8),
        ("cancel_state", c_uint16),
        ("cancel_error", c_int32),
        ("err_no", c_int32),
        ("stackaddr", c_uint64),
        ("stackbottom", c_uint64),
        ("freeaddr", c_uint64),
        ("freesize", c_uint64),
        ("guardsize", c_uint64),
        ("thread_id", c_uint64),
    )

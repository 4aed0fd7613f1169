//! The kernel's refusals, with the C library's words for them.

use crate::base::sentence::catalogue;

/// An error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errno {
    /// ENOENT.
    NotFound,
    /// ESRCH.
    NoProcess,
    /// EAGAIN.
    Again,
    /// EACCES.
    Permission,
    /// EPERM.
    NotPermitted,
    /// EBUSY.
    Busy,
    /// EEXIST.
    Exists,
    /// ENOTDIR.
    NotDirectory,
    /// EISDIR.
    IsDirectory,
    /// EINVAL.
    Invalid,
    /// ENOSPC.
    NoSpace,
    /// EROFS.
    ReadOnly,
    /// ERANGE.
    Range,
    /// ENODEV.
    NoDevice,
    /// EOPNOTSUPP.
    NotSupported,
    /// ENOMEM.
    NoMemory,
    /// EIO.
    Io,
    /// No error of the kernel: what is in the file is not known here.
    NotModelled,
}

impl Errno {
    /// `strerror`'s words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotFound => "No such file or directory",
            Self::NoProcess => "No such process",
            Self::Again => "Resource temporarily unavailable",
            Self::Permission => "Permission denied",
            Self::NotPermitted => "Operation not permitted",
            Self::Busy => "Device or resource busy",
            Self::Exists => "File exists",
            Self::NotDirectory => "Not a directory",
            Self::IsDirectory => "Is a directory",
            Self::Invalid => "Invalid argument",
            Self::NoSpace => "No space left on device",
            Self::ReadOnly => "Read-only file system",
            Self::Range => "Numerical result out of range",
            Self::NoDevice => "No such device",
            Self::NotSupported => "Operation not supported",
            Self::NoMemory => "Cannot allocate memory",
            Self::Io => "Input/output error",
            Self::NotModelled => catalogue::FILE_UNKNOWN.english,
        }
    }
}

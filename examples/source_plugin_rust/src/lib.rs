//! Reads weather logs into Arrow, and gives them away through Arrow's C stream interface.
//!
//! A log is `WLOG` and a version byte (1), then records, all numbers little-endian:
//!
//!     u16 length of the note | i64 microseconds since 1970 | u32 station |
//!     i32 thousandths of a degree, i32::MIN for none | the note, UTF-8 | u32 CRC-32 of all before
//!
//! Every record becomes a row. One whose checksum is wrong, or whose note is no UTF-8, has its bytes
//! in hexadecimal in the last column, and nothing in the others.

mod arrow;
mod log;

use std::ffi::{CStr, OsStr};
use std::os::raw::c_char;
use std::os::unix::ffi::OsStrExt;
use std::panic::catch_unwind;

use arrow::{export, ArrowArrayStream};
use log::LogReader;

/// Opens a log and fills the stream with it.
///
/// Returns 0, or an errno: 2 where there is no such file, 22 where it is no weather log, 5 where it
/// cannot be read.
///
/// # Safety
/// `path` ends with NUL; `stream` points to a struct of the C stream interface that holds nothing.
#[no_mangle]
pub unsafe extern "C" fn weather_log_open(
    path: *const c_char,
    batch_rows: usize,
    stream: *mut ArrowArrayStream,
) -> i32 {
    // A panic must not reach the caller, who knows nothing of Rust.
    catch_unwind(|| {
        let path = OsStr::from_bytes(CStr::from_ptr(path).to_bytes());
        match LogReader::open(path.as_ref(), batch_rows) {
            Ok(reader) => {
                stream.write(export(reader));
                0
            }
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound => 2,
                std::io::ErrorKind::InvalidData => 22,
                _ => 5,
            },
        }
    })
    .unwrap_or(5)
}

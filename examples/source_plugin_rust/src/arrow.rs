//! Arrow's C data and C stream interface: https://arrow.apache.org/docs/format/CDataInterface.html
//!
//! Whoever takes a struct calls its `release` once; until then what it points to stays where it is.

use std::ffi::{c_void, CString};
use std::io::Error;
use std::os::raw::{c_char, c_int};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut};

use crate::log::{Batch, LogReader};

const NULLABLE: i64 = 2;
const EIO: c_int = 5;

#[repr(C)]
pub struct ArrowSchema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut ArrowSchema,
    dictionary: *mut ArrowSchema,
    release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    private_data: *mut c_void,
}

#[repr(C)]
pub struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

#[repr(C)]
pub struct ArrowArrayStream {
    get_schema: unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowSchema) -> c_int,
    get_next: unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int,
    get_last_error: unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char,
    release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    private_data: *mut c_void,
}

/// The columns: their names, and their types in the words of the interface.
const FIELDS: [(&str, &str); 5] =
    [("at", "tsu:UTC"), ("station", "l"), ("degrees", "d:9,3"), ("note", "u"), ("damaged", "u")];

/// What a stream keeps: the reader, and the text of its last error.
struct Stream {
    reader: LogReader,
    error: CString,
}

/// The log as a stream that whoever takes it may read and must release.
pub fn export(reader: LogReader) -> ArrowArrayStream {
    let stream = Box::new(Stream { reader, error: CString::default() });
    ArrowArrayStream {
        get_schema,
        get_next,
        get_last_error,
        release: Some(release_stream),
        private_data: Box::into_raw(stream).cast(),
    }
}

unsafe extern "C" fn get_schema(_: *mut ArrowArrayStream, out: *mut ArrowSchema) -> c_int {
    let fields = FIELDS.iter().map(|(name, format)| schema(format, name, Vec::new()));
    out.write(schema("+s", "", fields.collect()));
    0
}

unsafe extern "C" fn get_next(stream: *mut ArrowArrayStream, out: *mut ArrowArray) -> c_int {
    let stream = &mut *(*stream).private_data.cast::<Stream>();
    // A panic must not reach the caller, who knows nothing of Rust.
    let read = catch_unwind(AssertUnwindSafe(|| {
        // The end is an array that has been released.
        let batch = stream.reader.next_batch()?;
        Ok::<_, Error>(batch.map_or_else(released, array_of))
    }));
    let message = match read {
        Ok(Ok(array)) => {
            out.write(array);
            return 0;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the reader failed".to_owned(),
    };
    stream.error = CString::new(message).unwrap_or_default();
    EIO
}

unsafe extern "C" fn get_last_error(stream: *mut ArrowArrayStream) -> *const c_char {
    (*(*stream).private_data.cast::<Stream>()).error.as_ptr()
}

unsafe extern "C" fn release_stream(stream: *mut ArrowArrayStream) {
    drop(Box::from_raw((*stream).private_data.cast::<Stream>()));
    (*stream).release = None;
}

/// What a schema points to.
struct SchemaData {
    _texts: [CString; 2],
    children: Vec<*mut ArrowSchema>,
}

fn schema(format: &str, name: &str, fields: Vec<ArrowSchema>) -> ArrowSchema {
    let texts = [format, name].map(|text| CString::new(text).expect("no NUL in a name"));
    let (format, name) = (texts[0].as_ptr(), texts[1].as_ptr());
    let children = fields.into_iter().map(|field| Box::into_raw(Box::new(field))).collect();
    let mut data = Box::new(SchemaData { _texts: texts, children });
    ArrowSchema {
        format,
        name,
        metadata: null(),
        flags: NULLABLE,
        n_children: data.children.len() as i64,
        children: data.children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(release_schema),
        private_data: Box::into_raw(data).cast(),
    }
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    let data = Box::from_raw((*schema).private_data.cast::<SchemaData>());
    for child in data.children {
        let mut child = Box::from_raw(child);
        // The caller may have moved a child out; then it has no release any more.
        if let Some(release) = child.release {
            release(&mut *child);
        }
    }
    (*schema).release = None;
}

/// What an array points to. Buffers are words, so that each is aligned for any type.
struct ArrayData {
    _owned: Vec<Vec<u64>>,
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
}

fn array_of(batch: Batch) -> ArrowArray {
    let rows = batch.at.len();
    let children = vec![
        numbers(&batch.at, |value| value.to_le_bytes()),
        numbers(&batch.station, |value| value.to_le_bytes()),
        numbers(&batch.degrees, |value| value.to_le_bytes()),
        texts(&batch.note),
        texts(&batch.damaged),
    ];
    array(rows, 0, vec![None], children)
}

fn numbers<T: Copy, const N: usize>(values: &[Option<T>], bytes: fn(T) -> [u8; N]) -> ArrowArray {
    let stored: Vec<u8> = values.iter().flat_map(|v| v.map_or([0; N], bytes)).collect();
    let (validity, nulls) = validity(values);
    array(values.len(), nulls, vec![Some(validity), Some(words(&stored))], Vec::new())
}

fn texts(values: &[Option<String>]) -> ArrowArray {
    let mut offsets = vec![0; 4];
    let mut stored = Vec::new();
    for value in values {
        stored.extend_from_slice(value.as_deref().unwrap_or("").as_bytes());
        let end = i32::try_from(stored.len()).expect("a batch has less than 2 GB of text");
        offsets.extend_from_slice(&end.to_le_bytes());
    }
    let (validity, nulls) = validity(values);
    let buffers = vec![Some(validity), Some(words(&offsets)), Some(words(&stored))];
    array(values.len(), nulls, buffers, Vec::new())
}

/// One bit for each value, the lowest first: 1 where there is one. And the number of those without.
fn validity<T>(values: &[Option<T>]) -> (Vec<u64>, usize) {
    let mut bits = vec![0; (values.len() + 7) / 8];
    for (row, _) in values.iter().enumerate().filter(|(_, value)| value.is_some()) {
        bits[row / 8] |= 1 << (row % 8);
    }
    (words(&bits), values.iter().filter(|value| value.is_none()).count())
}

fn words(bytes: &[u8]) -> Vec<u64> {
    let whole = bytes.chunks(8).map(|part| {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        u64::from_ne_bytes(word)
    });
    // A buffer without bytes must point somewhere as well.
    whole.chain(bytes.is_empty().then_some(0)).collect()
}

fn array(
    rows: usize,
    nulls: usize,
    buffers: Vec<Option<Vec<u64>>>,
    children: Vec<ArrowArray>,
) -> ArrowArray {
    let pointers = buffers.iter().map(|b| b.as_ref().map_or(null(), |b| b.as_ptr().cast()));
    let mut data = Box::new(ArrayData {
        buffers: pointers.collect(),
        children: children.into_iter().map(|child| Box::into_raw(Box::new(child))).collect(),
        _owned: buffers.into_iter().flatten().collect(),
    });
    ArrowArray {
        length: rows as i64,
        null_count: nulls as i64,
        offset: 0,
        n_buffers: data.buffers.len() as i64,
        n_children: data.children.len() as i64,
        buffers: data.buffers.as_mut_ptr(),
        children: data.children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(release_array),
        private_data: Box::into_raw(data).cast(),
    }
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    let data = Box::from_raw((*array).private_data.cast::<ArrayData>());
    for child in data.children {
        let mut child = Box::from_raw(child);
        if let Some(release) = child.release {
            release(&mut *child);
        }
    }
    (*array).release = None;
}

fn released() -> ArrowArray {
    ArrowArray {
        length: 0,
        null_count: 0,
        offset: 0,
        n_buffers: 0,
        n_children: 0,
        buffers: null_mut(),
        children: null_mut(),
        dictionary: null_mut(),
        release: None,
        private_data: null_mut(),
    }
}

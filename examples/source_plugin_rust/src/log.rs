//! The format of the logs: bytes -> batches of columns.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Result};
use std::path::Path;

const MAGIC: &[u8; 5] = b"WLOG\x01";
const NO_DEGREES: i32 = i32::MIN;

/// Some records as columns; all have the same length.
#[derive(Default)]
pub struct Batch {
    pub at: Vec<Option<i64>>,
    pub station: Vec<Option<i64>>,
    pub degrees: Vec<Option<i128>>,
    pub note: Vec<Option<String>>,
    pub damaged: Vec<Option<String>>,
}

/// A log that is read from its beginning to its end, in bounded memory.
pub struct LogReader {
    file: BufReader<File>,
    batch_rows: usize,
    position: u64,
}

impl LogReader {
    pub fn open(path: &Path, batch_rows: usize) -> Result<LogReader> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut magic = [0; MAGIC.len()];
        if file.read_exact(&mut magic).is_err() || &magic != MAGIC {
            return Err(Error::new(ErrorKind::InvalidData, "no weather log"));
        }
        let position = MAGIC.len() as u64;
        Ok(LogReader { file, batch_rows, position })
    }

    /// The next records; None at the end. A log that ends within a record is an error.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        let mut batch = Batch::default();
        while batch.at.len() < self.batch_rows {
            match self.next_record()? {
                Some(record) => batch.push(&record),
                None => break,
            }
        }
        Ok((!batch.at.is_empty()).then_some(batch))
    }

    fn next_record(&mut self) -> Result<Option<Vec<u8>>> {
        let mut record = vec![0; 2];
        match self.file.read(&mut record[..1])? {
            0 => return Ok(None),
            _ => self.fill(&mut record[1..])?,
        }
        let note = u16::from_le_bytes([record[0], record[1]]) as usize;
        record.resize(2 + 8 + 4 + 4 + note + 4, 0);
        self.fill(&mut record[2..])?;
        self.position += record.len() as u64;
        Ok(Some(record))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.file.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                let message =
                    format!("the log is cut short in the record at byte {}", self.position);
                Error::new(ErrorKind::InvalidData, message)
            }
            _ => error,
        })
    }
}

impl Batch {
    fn push(&mut self, record: &[u8]) {
        let (body, sum) = record.split_at(record.len() - 4);
        let is_whole = crc32(body).to_le_bytes() == sum;
        let note = match std::str::from_utf8(&body[18..]) {
            Ok(note) if is_whole => note,
            _ => {
                let hex = record.iter().map(|byte| format!("{byte:02x}")).collect();
                self.add(None, None, None, None, Some(hex));
                return;
            }
        };
        let at = i64::from_le_bytes(body[2..10].try_into().unwrap());
        let station = u32::from_le_bytes(body[10..14].try_into().unwrap());
        let degrees = i32::from_le_bytes(body[14..18].try_into().unwrap());
        self.add(
            Some(at),
            Some(i64::from(station)),
            (degrees != NO_DEGREES).then_some(i128::from(degrees)),
            (!note.is_empty()).then(|| note.to_owned()),
            None,
        );
    }

    fn add(
        &mut self,
        at: Option<i64>,
        station: Option<i64>,
        degrees: Option<i128>,
        note: Option<String>,
        damaged: Option<String>,
    ) {
        self.at.push(at);
        self.station.push(station);
        self.degrees.push(degrees);
        self.note.push(note);
        self.damaged.push(damaged);
    }
}

/// The checksum of zip and PNG (IEEE 802.3).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |bits, _| {
            (bits >> 1) ^ (0xEDB8_8320 & (bits & 1).wrapping_neg())
        })
    })
}

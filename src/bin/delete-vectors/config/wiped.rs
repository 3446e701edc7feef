//! Reads bytes that may contain a secret, and wipes all buffers that contained them.

use std::io::{self, Read};

use zeroize::Zeroizing;

const FIRST_BUFFER: usize = 16 * 1024;

/// Reads to the end. A full buffer is wiped after it is copied to a larger one.
pub(super) fn read_to_end(mut reader: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(vec![0; FIRST_BUFFER]);
    let mut length = 0;
    loop {
        if length == content.len() {
            let mut larger = Zeroizing::new(vec![0; 2 * length]);
            larger[..length].copy_from_slice(&content);
            content = larger;
        }
        match reader.read(&mut content[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    content.truncate(length);
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns one byte at a time, and is interrupted before each.
    struct Slow<'a>(&'a [u8], bool);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }

    #[test]
    fn input_of_any_length_is_read() {
        for length in [0, 1, FIRST_BUFFER - 1, FIRST_BUFFER, FIRST_BUFFER + 1, 5 * FIRST_BUFFER] {
            let content: Vec<u8> = (0..length).map(|number| number as u8).collect();
            assert_eq!(*read_to_end(&content[..]).unwrap(), content);
            assert_eq!(*read_to_end(Slow(&content, false)).unwrap(), content);
        }
    }
}

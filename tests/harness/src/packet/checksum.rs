//! The two checksums of the protocols here.

/// Returns the checksum of RFC 1071 over `bytes`, continuing from a sum.
pub(super) fn internet_checksum(start: u16, bytes: &[u8]) -> u16 {
    !fold(u32::from(start) + u32::from(ones_complement_sum(bytes)))
}

/// Returns the ones' complement sum over `bytes` in pairs; an odd last byte is followed by a zero.
pub(super) fn ones_complement_sum(bytes: &[u8]) -> u16 {
    let pairs = bytes.chunks(2).map(|pair| {
        let mut pair = pair.iter().copied().chain([0]);
        u16::from_be_bytes([pair.next().unwrap_or(0), pair.next().unwrap_or(0)])
    });
    pairs.fold(0, |sum, pair| fold(u32::from(sum) + u32::from(pair)))
}

/// Returns the CRC-32C that SCTP uses (RFC 9260, appendix A), in the order in which it is sent.
pub(super) fn crc32c(bytes: &[u8]) -> [u8; 4] {
    let remainder = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    });
    (!remainder).to_le_bytes()
}

/// Adds the carry back in; `sum` is of two 16-bit numbers.
fn fold(sum: u32) -> u16 {
    let [_, carry, high, low] = sum.to_be_bytes();
    u16::from_be_bytes([high, low]).wrapping_add(u16::from(carry))
}

#[cfg(test)]
mod tests {
    use super::{crc32c, internet_checksum};

    #[test]
    fn the_internet_checksum_is_that_of_the_example_in_rfc_1071() {
        assert_eq!(internet_checksum(0, &[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_odd_last_byte_is_a_high_byte() {
        assert_eq!(internet_checksum(0, &[0x12, 0x34, 0x56]), !(0x1234 + 0x5600));
    }

    #[test]
    fn crc32c_has_its_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283_u32.to_le_bytes());
    }
}

//! Takes the debug information out of the built object.
//!
//! LLVM derives the BTF, which the kernel wants, from the same source as DWARF, which nobody reads here: without DWARF the
//! object is a fifth as large, and aya, which reads all relocations of all sections, is done with it sooner each time.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;

/// Removes all sections of DWARF, and their relocations, from the ELF object in this file.
///
/// # Errors
///
/// Fails where the file cannot be read or written, or is no ELF object.
pub(crate) fn debug_information(path: &Path) -> Result<()> {
    let whole = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let stripped = without_dwarf(&whole).with_context(|| format!("stripping {}", path.display()))?;
    fs::write(path, stripped).with_context(|| format!("writing {}", path.display()))
}

fn without_dwarf(elf: &[u8]) -> object::build::Result<Vec<u8>> {
    let mut builder = Builder::read(elf)?;
    for section in &mut builder.sections {
        section.delete = section.name.starts_with(b".debug_") || section.name.starts_with(b".rel.debug_");
    }
    builder.delete_orphans();
    // LLVM keeps all names in one section; here those of sections are written into their own.
    let names = builder.sections.add();
    names.name = ".shstrtab".into();
    names.sh_type = SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    Ok(stripped)
}

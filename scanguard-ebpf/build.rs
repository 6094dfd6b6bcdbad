//! How the programs are linked.

fn main() {
    // Otherwise LLVM is told to keep to the order of what it copies, and as a side effect calls a function for whatever is
    // to be zero, which writes it byte by byte: for the 64 bytes of a question to the routing tables too.
    println!("cargo::rustc-link-arg-bins=--disable-expand-memcpy-in-order");
    println!("cargo::rerun-if-changed=build.rs");
}

# shellcheck shell=bash
# How the ABI of libmimi.so is recorded and compared: sourced by scripts/abi-check and
# scripts/abi-update. The record is that of Debian 12's g++ with the dev preset; another compiler
# describes the same types in other words.

mimi_abi_record=bindings/c/abi/libmimi.so.1.abi
mimi_abi_suppressions=bindings/c/abi/suppressions.ini
mimi_abi_library=build/dev/bindings/c/libmimi.so.1

# mimi_abi_describe OUTPUT: only what mimi.h shows, and nothing of where it was built.
mimi_abi_describe() {
  abidw --headers-dir build/dev/include/mimi/c --drop-private-types --exported-interfaces-only \
    --no-elf-needed --no-corpus-path --no-comp-dir-path --no-show-locs --type-id-style hash \
    --out-file "$1" "$mimi_abi_library"
}

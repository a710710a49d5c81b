# Cross build for 64-bit Arm on Debian: crossbuild-essential-arm64, libabsl-dev:arm64,
# libfmt-dev:arm64; the tests run under qemu-user. cereal and doctest are headers and a CMake
# package without architecture: the build machine's own serve.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

# The build machine's own package of cereal lies beside its libraries, where a cross build does not
# look.
file(GLOB mimi_cereal /usr/share/cmake/cereal /usr/lib/cmake/cereal /usr/lib/*/cmake/cereal)
if(mimi_cereal)
  list(GET mimi_cereal 0 cereal_DIR)
endif()

find_program(mimi_qemu NAMES qemu-aarch64 qemu-aarch64-static)
if(mimi_qemu)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${mimi_qemu})
endif()

# Cross build for 64-bit Arm on Debian: crossbuild-essential-arm64, libabsl-dev:arm64,
# libfmt-dev:arm64; the tests run under qemu-user. cereal and doctest are headers and a CMake
# package without architecture: the build machine's own serve.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
find_program(mimi_qemu NAMES qemu-aarch64 qemu-aarch64-static)
if(mimi_qemu)
  # Debian's multiarch keeps the target's libraries in /usr/lib/aarch64-linux-gnu; the loader is
  # found below the cross toolchain's own root or, with libc6:arm64, in /.
  set(CMAKE_CROSSCOMPILING_EMULATOR ${mimi_qemu})
endif()

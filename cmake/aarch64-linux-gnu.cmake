# Toolchain: aarch64 Linux by Debian's cross compiler; what it builds runs under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)  # GoogleTest asks for one
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

# xsimd is headers alone, but Debian files its package description under the host's architecture.
file(GLOB xsimd_DIR /usr/lib/*-linux-gnu/cmake/xsimd)

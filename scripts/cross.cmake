# SPDX-License-Identifier: MIT
# A toolchain file for the cross compilers of Debian, with programs run by
# qemu-user, or by this machine where it can:
#
#	cmake --toolchain scripts/cross.cmake -DHAZPTR_CROSS=aarch64
#
# HAZPTR_CROSS: aarch64, arm, riscv64, s390x, i686; or musl, a C library.
# C only. Unit tests need HAZPTR_CMOCKA_SOURCE, see tests/unit.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES HAZPTR_CROSS)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${HAZPTR_CROSS})

if(HAZPTR_CROSS STREQUAL musl)
	set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_HOST_SYSTEM_PROCESSOR})
	set(CMAKE_C_COMPILER musl-gcc)
	set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
	# The kernel's headers, without those of the other C library.
	execute_process(COMMAND cc -print-multiarch OUTPUT_VARIABLE multiarch
		OUTPUT_STRIP_TRAILING_WHITESPACE)
	set(kernel ${CMAKE_BINARY_DIR}/kernel)
	file(MAKE_DIRECTORY ${kernel})
	foreach(part linux asm-generic ${multiarch}/asm)
		get_filename_component(name ${part} NAME)
		file(CREATE_LINK /usr/include/${part} ${kernel}/${name}
			SYMBOLIC)
	endforeach()
	set(CMAKE_C_FLAGS_INIT "-isystem ${kernel}")
else()
	set(triplet ${HAZPTR_CROSS}-linux-gnu)
	if(HAZPTR_CROSS STREQUAL arm)
		set(triplet arm-linux-gnueabihf)
	endif()
	set(CMAKE_C_COMPILER ${triplet}-gcc)
	set(CMAKE_FIND_ROOT_PATH /usr/${triplet})
	if(HAZPTR_CROSS STREQUAL i686)
		# Runs as it is, but with these libraries.
		set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath=/usr/${triplet}/lib\
 -Wl,--dynamic-linker=/usr/${triplet}/lib/ld-linux.so.2")
	else()
		set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_BINARY_DIR}/emulator)
		file(WRITE ${CMAKE_CROSSCOMPILING_EMULATOR} "#!/bin/sh\n"
			"exec qemu-${HAZPTR_CROSS} -L /usr/${triplet} \"$@\"\n")
		file(CHMOD ${CMAKE_CROSSCOMPILING_EMULATOR} PERMISSIONS
			OWNER_READ OWNER_WRITE OWNER_EXECUTE)
	endif()
endif()

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)

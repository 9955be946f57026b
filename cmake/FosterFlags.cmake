# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# The language level, warnings, hardening and sanitizers of everything we compile.
#   foster_warnings  what every program of the tree gets, the test fixtures included
#   foster_flags     that, and hardening or sanitizers
option(FOSTER_WERROR "Treat warnings as errors" OFF)
option(FOSTER_ABORT_ON_BUG "Abort when a broken promise of our own is found (test builds)" OFF)
set(FOSTER_SANITIZE "" CACHE STRING "Value of -fsanitize= (address,undefined)")
option(FOSTER_COVERAGE "Count executed lines" OFF)
option(FOSTER_FUZZ "Build the libFuzzer targets instead of their replay programs (clang)" OFF)
option(FOSTER_HARDEN "Hardening flags for what is shipped" ON)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# The tables of the sanitizers are full of addresses: each process under test would have to relocate them.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(FOSTER_SANITIZE)
  set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
endif()
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Kind of build" FORCE)
endif()

include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
# A -pie of CMake's own would undo -static-pie.
if(NOT FOSTER_STATIC)
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES C)
endif()

add_library(foster_warnings INTERFACE)
target_compile_definitions(foster_warnings INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(foster_warnings INTERFACE
  -Wall -Wextra -Wformat=2 -Wvla -Wshadow -Wconversion -Wimplicit-fallthrough -Wframe-larger-than=8192
  -Wundef -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wwrite-strings
  -fno-strict-overflow -fno-delete-null-pointer-checks)
if(FOSTER_WERROR)
  target_compile_options(foster_warnings INTERFACE -Werror)
endif()

add_library(foster_flags INTERFACE)
target_link_libraries(foster_flags INTERFACE foster_warnings)
if(FOSTER_ABORT_ON_BUG)
  target_compile_definitions(foster_flags INTERFACE FOSTER_ABORT_ON_BUG)
endif()

if(FOSTER_SANITIZE)
  target_compile_options(foster_flags INTERFACE
    "-fsanitize=${FOSTER_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(foster_flags INTERFACE "-fsanitize=${FOSTER_SANITIZE}")
  # The tests start programs by the thousand: without a run-time to load and to relocate each takes a third less time.
  # clang links it in by itself and does not know the options.
  set(CMAKE_REQUIRED_FLAGS "-Werror -fsanitize=${FOSTER_SANITIZE}")
  set(CMAKE_REQUIRED_LINK_OPTIONS -static-libasan -static-libubsan)
  check_c_source_compiles("int main(void) { return 0; }" FOSTER_HAS_STATIC_SANITIZERS)
  unset(CMAKE_REQUIRED_FLAGS)
  unset(CMAKE_REQUIRED_LINK_OPTIONS)
  if(FOSTER_HAS_STATIC_SANITIZERS)
    target_link_options(foster_flags INTERFACE -static-libasan -static-libubsan)
  endif()
elseif(FOSTER_HARDEN)
  # Asked of the compiler, never required: each of these is missing somewhere.
  foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
               -mbranch-protection=standard -ftrivial-auto-var-init=zero)
    string(MAKE_C_IDENTIFIER "FOSTER_HAS${flag}" has)
    set(CMAKE_REQUIRED_FLAGS -Werror)
    check_c_compiler_flag(${flag} ${has})
    unset(CMAKE_REQUIRED_FLAGS)
    if(${has})
      target_compile_options(foster_flags INTERFACE ${flag})
    endif()
  endforeach()
  # Level 3 where compiler and libc have it: elsewhere they answer with a warning.
  set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
  check_c_source_compiles("#include <string.h>\nint main(void) { return 0; }" FOSTER_HAS_FORTIFY_3)
  unset(CMAKE_REQUIRED_FLAGS)
  set(level 2)
  if(FOSTER_HAS_FORTIFY_3)
    set(level 3)
  endif()
  target_compile_options(foster_flags INTERFACE
    "$<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${level}>")
  target_link_options(foster_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed)
endif()

if(FOSTER_COVERAGE)
  target_compile_options(foster_flags INTERFACE --coverage -O0)
  target_link_options(foster_flags INTERFACE --coverage)
endif()
if(FOSTER_FUZZ)
  target_compile_options(foster_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# The language level, warnings, hardening and sanitizers of everything we compile.
option(FOSTER_WERROR "Treat warnings as errors" OFF)
option(FOSTER_ABORT_ON_BUG "Abort when a broken promise of our own is found (test builds)" OFF)
set(FOSTER_SANITIZE "" CACHE STRING "Value of -fsanitize= (address,undefined)")
option(FOSTER_COVERAGE "Count executed lines" OFF)
option(FOSTER_HARDEN "Hardening flags for what is shipped" ON)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(foster_flags INTERFACE)
target_compile_definitions(foster_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(foster_flags INTERFACE
  -Wall -Wextra -Wformat=2 -Wvla -Wshadow -Wconversion -Wimplicit-fallthrough -Wframe-larger-than=8192
  -Wundef -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wwrite-strings
  -fno-strict-overflow -fno-delete-null-pointer-checks)
if(FOSTER_WERROR)
  target_compile_options(foster_flags INTERFACE -Werror)
endif()
if(FOSTER_ABORT_ON_BUG)
  target_compile_definitions(foster_flags INTERFACE FOSTER_ABORT_ON_BUG)
endif()
if(FOSTER_SANITIZE)
  target_compile_options(foster_flags INTERFACE "-fsanitize=${FOSTER_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(foster_flags INTERFACE "-fsanitize=${FOSTER_SANITIZE}")
elseif(FOSTER_HARDEN)
  include(CheckCCompilerFlag)
  foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero)
    string(MAKE_C_IDENTIFIER "FOSTER_HAS${flag}" has)
    check_c_compiler_flag(${flag} ${has})
    if(${has})
      target_compile_options(foster_flags INTERFACE ${flag})
    endif()
  endforeach()
  target_compile_options(foster_flags INTERFACE "$<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  target_link_options(foster_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed)
  set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -pie")
endif()
if(FOSTER_COVERAGE)
  target_compile_options(foster_flags INTERFACE --coverage -O0)
  target_link_options(foster_flags INTERFACE --coverage)
endif()

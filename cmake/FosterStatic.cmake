# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# A fosterd that needs no other file: it runs in an empty root file system.
#   foster_find_archives()  from here on find_library() finds archives only, until foster_find_shared()
#   foster_self_contained(TARGET)  links TARGET without shared libraries: static-pie where the tools can, so that its
#                           place in memory is still drawn by lot, else at a fixed address
#   foster_pack_relocations(TARGET)  where linker and libc know the short form of relocations: 60 kB less, self-contained
include(CheckCSourceRuns)
option(FOSTER_STATIC "Link fosterd into one self-contained binary" OFF)

macro(foster_find_archives)
  set(foster_suffixes "${CMAKE_FIND_LIBRARY_SUFFIXES}")
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
endmacro()

macro(foster_find_shared)
  set(CMAKE_FIND_LIBRARY_SUFFIXES "${foster_suffixes}")
endmacro()

set(foster_archives "\
    Debian, Ubuntu  libc6-dev libev-dev libyaml-dev libjansson-dev libcap-dev
    Alpine          musl-dev libev-dev yaml-dev yaml-static jansson-dev jansson-static libcap-dev libcap-static
    Fedora          has glibc-static and libcap-static, but neither libev, libyaml nor libjansson as an archive")

# Some compilers (musl-gcc) take an option that they do not know for a shared program, without a word; so look at
# what came out.
function(foster_can_link option ret)
  if(NOT DEFINED ${ret})
    set(probe "${CMAKE_BINARY_DIR}/CMakeFiles/foster${option}")
    file(WRITE "${probe}.c" "int main(void) { return 0; }\n")
    try_compile(linked "${CMAKE_BINARY_DIR}/CMakeFiles" "${probe}.c"
      COMPILE_DEFINITIONS -fPIE LINK_OPTIONS ${option} COPY_FILE "${probe}")
    if(linked AND CMAKE_READELF)
      execute_process(COMMAND "${CMAKE_READELF}" -lW "${probe}" OUTPUT_VARIABLE headers ERROR_QUIET)
      if(headers MATCHES "INTERP")
        set(linked FALSE)
      endif()
    endif()
    set(${ret} ${linked} CACHE INTERNAL "Whether ${option} gives a self-contained program")
  endif()
endfunction()

function(foster_self_contained target)
  foster_can_link(-static-pie FOSTER_HAS_STATIC_PIE)
  if(FOSTER_HAS_STATIC_PIE)
    target_link_options(${target} PRIVATE -static-pie)
    set(kind "position-independent (static-pie)")
  else()
    foster_can_link(-static FOSTER_HAS_STATIC)
    if(NOT FOSTER_HAS_STATIC)
      message(FATAL_ERROR "FOSTER_STATIC: ${CMAKE_C_COMPILER} finds no libc.a. Install what this system calls\n${foster_archives}")
    endif()
    target_link_options(${target} PRIVATE -static)
    set(kind "at a fixed address (this compiler links no static-pie)")
  endif()
  # glibc loads its name services (users, hosts) at run time even here; ld warns of what would bring them in.
  target_link_options(${target} PRIVATE -Wl,--fatal-warnings)
  # What nobody calls stays away, and so does the index of tables for exceptions, which C has none of.
  target_link_options(${target} PRIVATE -Wl,--gc-sections -Wl,--no-eh-frame-hdr)
  message(STATUS "${target}: self-contained, ${kind}")
endfunction()

# A libc too old for it links, and crashes at the start: so it is tried out.
function(foster_pack_relocations target)
  if(CMAKE_CROSSCOMPILING OR FOSTER_SANITIZE)
    return()
  endif()
  set(option -Wl,-z,pack-relative-relocs)
  get_target_property(CMAKE_REQUIRED_LINK_OPTIONS ${target} LINK_OPTIONS)
  if(NOT CMAKE_REQUIRED_LINK_OPTIONS)
    set(CMAKE_REQUIRED_LINK_OPTIONS "")
  endif()
  list(APPEND CMAKE_REQUIRED_LINK_OPTIONS ${option} -Wl,--fatal-warnings)
  check_c_source_runs(
    "static const char *volatile words[] = {\"a\", \"b\"}; int main(int n, char **v) { (void)v; return words[n % 2][0] != 'b'; }"
    FOSTER_HAS_PACKED_RELOCATIONS)
  if(FOSTER_HAS_PACKED_RELOCATIONS)
    target_link_options(${target} PRIVATE ${option})
  endif()
endfunction()

if(FOSTER_STATIC AND FOSTER_SANITIZE)
  message(FATAL_ERROR "FOSTER_STATIC: the run-time of the sanitizers cannot be linked statically; set FOSTER_SANITIZE to nothing")
endif()

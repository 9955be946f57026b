# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# The libraries we stand on. libev installs no pkg-config file on most distributions. A self-contained fosterd takes
# all of them as archives; what only tests use is shared even then.
find_package(PkgConfig REQUIRED)
if(FOSTER_STATIC)
  foster_find_archives()
  find_library(LIBYAML_ARCHIVE yaml)
  find_library(LIBJANSSON_ARCHIVE jansson)
  find_library(LIBCAP_ARCHIVE cap)
endif()
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(CAP REQUIRED IMPORTED_TARGET libcap)
find_path(LIBEV_INCLUDE ev.h PATH_SUFFIXES libev REQUIRED)
find_library(LIBEV_LIBRARY ev)
if(FOSTER_STATIC)
  foster_find_shared()
  if(NOT LIBEV_LIBRARY OR NOT LIBYAML_ARCHIVE OR NOT LIBJANSSON_ARCHIVE OR NOT LIBCAP_ARCHIVE)
    message(FATAL_ERROR "FOSTER_STATIC: libev.a: ${LIBEV_LIBRARY}; libyaml.a: ${LIBYAML_ARCHIVE}; libjansson.a: ${LIBJANSSON_ARCHIVE}; libcap.a: ${LIBCAP_ARCHIVE}. Install what this system calls\n${foster_archives}")
  endif()
elseif(NOT LIBEV_LIBRARY)
  message(FATAL_ERROR "libev's header is here, but not the library")
endif()
add_library(foster_ev INTERFACE)
target_include_directories(foster_ev SYSTEM INTERFACE "${LIBEV_INCLUDE}")
target_link_libraries(foster_ev INTERFACE "${LIBEV_LIBRARY}" m)

if(BUILD_TESTING)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# The libraries we stand on. libev installs no pkg-config file on most distributions.
find_package(PkgConfig REQUIRED)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)

find_path(LIBEV_INCLUDE ev.h PATH_SUFFIXES libev REQUIRED)
find_library(LIBEV_LIBRARY ev REQUIRED)
add_library(foster_ev INTERFACE)
target_include_directories(foster_ev SYSTEM INTERFACE "${LIBEV_INCLUDE}")
target_link_libraries(foster_ev INTERFACE "${LIBEV_LIBRARY}" m)

if(BUILD_TESTING)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
  pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
endif()

# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# libfoster, for other programs: shared library, archive, header, foster.pc. Whoever links it sees what foster/foster.h
# marks FOSTER_API and nothing else of ours: the floor base is inside, hidden.
if(FOSTER_STATIC OR FOSTER_FUZZ)
  return()
endif()

set_target_properties(foster_client PROPERTIES C_VISIBILITY_PRESET hidden)
set_target_properties(foster_base foster_client PROPERTIES POSITION_INDEPENDENT_CODE ON)
add_library(foster_shared SHARED $<TARGET_OBJECTS:foster_client>)
set_target_properties(foster_shared PROPERTIES OUTPUT_NAME foster VERSION ${PROJECT_VERSION} SOVERSION 0
  LINKER_LANGUAGE C)
target_link_libraries(foster_shared PRIVATE foster_base PkgConfig::JANSSON)
target_link_options(foster_shared PRIVATE -Wl,--exclude-libs,ALL)
install(TARGETS foster_shared LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT libfoster)

# Members of an archive see each other by their names, and so would the program. So there is one member alone, in which
# they have found each other already.
if(CMAKE_OBJCOPY)
  set(archive "${CMAKE_BINARY_DIR}/archive/libfoster.a")
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/archive")
  add_custom_command(OUTPUT "${archive}" DEPENDS foster_client foster_base VERBATIM
    WORKING_DIRECTORY "${CMAKE_BINARY_DIR}/archive"
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o foster.o -Wl,--whole-archive $<TARGET_FILE:foster_client>
      -Wl,--no-whole-archive $<TARGET_FILE:foster_base>
    COMMAND ${CMAKE_OBJCOPY} -w "--keep-global-symbol=foster_*" foster.o
    COMMAND ${CMAKE_COMMAND} -E rm -f "${archive}"
    COMMAND ${CMAKE_AR} rcs "${archive}" foster.o)
  add_custom_target(foster_archive ALL DEPENDS "${archive}")
  install(FILES "${archive}" DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT libfoster)
else()
  message(STATUS "libfoster.a: not built, objcopy is missing")
endif()

foreach(dir LIBDIR INCLUDEDIR)
  set(pc_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
    set(pc_${dir} "${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
configure_file(cmake/foster.pc.in foster.pc @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/foster.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT libfoster)
install(FILES include/foster/foster.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/foster" COMPONENT libfoster)

# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# What `cmake --install` adds to the daemon: the names of the inits that it replaces, the systemd unit, documents,
# examples.
set(doc "${CMAKE_INSTALL_DOCDIR}")
install(FILES LICENSE README.md CHANGELOG.md DESTINATION "${doc}" OPTIONAL)
install(FILES doc/architecture.md doc/adoption.md doc/init-mode.md doc/reliability.md DESTINATION "${doc}" OPTIONAL)
install(FILES conf/demo.yaml DESTINATION "${doc}/examples" OPTIONAL)
install(DIRECTORY conf/examples/ DESTINATION "${doc}/examples" OPTIONAL)

# Called by one of these names, fosterd is that program (README, "Replacing tini"). Out of everybody's PATH: whoever wants
# one of them there makes a link of their own.
option(FOSTER_INIT_NAMES "Install links with the names of tini, dumb-init and others in LIBEXECDIR/foster" ON)
if(FOSTER_INIT_NAMES AND TARGET fosterd)
  set(names_dir "${CMAKE_INSTALL_LIBEXECDIR}/foster")
  file(RELATIVE_PATH daemon_from_names "${CMAKE_INSTALL_FULL_LIBEXECDIR}/foster" "${CMAKE_INSTALL_FULL_SBINDIR}/fosterd")
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/names")
  foreach(name tini tini-static docker-init podman-init dumb-init catatonit)
    file(REMOVE "${CMAKE_BINARY_DIR}/names/${name}")
    file(CREATE_LINK "${daemon_from_names}" "${CMAKE_BINARY_DIR}/names/${name}" SYMBOLIC)
    install(FILES "${CMAKE_BINARY_DIR}/names/${name}" DESTINATION "${names_dir}")
  endforeach()
endif()

if(FOSTER_SYSTEMD_UNIT_DIR AND EXISTS "${CMAKE_SOURCE_DIR}/systemd/fosterd.service.in")
  configure_file(systemd/fosterd.service.in systemd/fosterd.service @ONLY)
  install(FILES "${CMAKE_BINARY_DIR}/systemd/fosterd.service" DESTINATION "${FOSTER_SYSTEMD_UNIT_DIR}")
  install(FILES systemd/hardening.conf DESTINATION "${doc}/systemd" OPTIONAL)
endif()

# The man pages. The keys of foster.yaml(5) and the methods of foster-protocol(7) come from the parsers' own tables,
# through tools/reference.c.
find_program(SCDOC scdoc)
if(FOSTER_MAN AND SCDOC AND NOT FOSTER_FUZZ)
  set(man "${CMAKE_BINARY_DIR}/man")
  file(MAKE_DIRECTORY "${man}")
  add_executable(reference EXCLUDE_FROM_ALL tools/reference.c)
  target_link_libraries(reference PRIVATE foster_core)
  set(pages fosterd.8 foster.yaml.5 foster-protocol.7)
  if(TARGET fosterctl)
    list(APPEND pages fosterctl.1)
  endif()
  foreach(page ${pages})
    # sh, for redirections: $0 is the first argument
    add_custom_command(OUTPUT "${man}/${page}" DEPENDS "doc/${page}.scd" reference VERBATIM
      COMMAND sh -c "\"$0\" \"$1\" >\"$2\"" $<TARGET_FILE:reference>
        "${CMAKE_SOURCE_DIR}/doc/${page}.scd" "${man}/${page}.scd"
      COMMAND sh -c "\"$0\" <\"$1\" >\"$2\"" "${SCDOC}" "${man}/${page}.scd" "${man}/${page}")
    list(APPEND made "${man}/${page}")
    string(REGEX REPLACE ".*\\." "" section "${page}")
    install(FILES "${man}/${page}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
  endforeach()
  add_custom_target(man ALL DEPENDS ${made})
endif()

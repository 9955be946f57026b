# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# What `cmake --install` adds to the programs: the names of the inits that the daemon replaces, the systemd unit,
# completions, documents, examples. Components: fosterd, fosterctl, libfoster (FosterLibrary.cmake), documents.
set(doc "${CMAKE_INSTALL_DOCDIR}")
install(FILES LICENSE README.md CHANGELOG.md DESTINATION "${doc}" COMPONENT documents)
install(FILES doc/architecture.md doc/adoption.md doc/identity.md doc/init-mode.md doc/limits.md doc/protocol.md doc/reliability.md doc/states.md doc/zombies.md
  doc/schema/fosterctl.json DESTINATION "${doc}" COMPONENT documents)
install(FILES conf/demo.yaml DESTINATION "${doc}/examples" COMPONENT documents)
install(DIRECTORY conf/examples/ DESTINATION "${doc}/examples" COMPONENT documents)

if(TARGET fosterctl)
  install(FILES conf/completions/fosterctl.bash RENAME fosterctl COMPONENT fosterctl
    DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
  install(FILES conf/completions/_fosterctl COMPONENT fosterctl
    DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
  install(FILES conf/completions/fosterctl.fish COMPONENT fosterctl
    DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
endif()

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
    install(FILES "${CMAKE_BINARY_DIR}/names/${name}" DESTINATION "${names_dir}" COMPONENT fosterd)
  endforeach()
endif()

if(FOSTER_SYSTEMD_UNIT_DIR AND EXISTS "${CMAKE_SOURCE_DIR}/systemd/fosterd.service.in")
  configure_file(systemd/fosterd.service.in systemd/fosterd.service @ONLY)
  install(FILES "${CMAKE_BINARY_DIR}/systemd/fosterd.service" DESTINATION "${FOSTER_SYSTEMD_UNIT_DIR}" COMPONENT fosterd)
  install(FILES systemd/hardening.conf DESTINATION "${doc}/systemd" COMPONENT documents)
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
    install(FILES "${man}/${page}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}" COMPONENT documents)
  endforeach()
  add_custom_target(man ALL DEPENDS ${made})
endif()

# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# What `cmake --install` adds to the daemon: the systemd unit, documents, examples.
set(doc "${CMAKE_INSTALL_DOCDIR}")
install(FILES LICENSE README.md CHANGELOG.md DESTINATION "${doc}" OPTIONAL)
install(FILES doc/architecture.md doc/adoption.md doc/reliability.md DESTINATION "${doc}" OPTIONAL)
install(FILES conf/demo.yaml DESTINATION "${doc}/examples" OPTIONAL)
install(DIRECTORY conf/examples/ DESTINATION "${doc}/examples" OPTIONAL)

if(FOSTER_SYSTEMD_UNIT_DIR AND EXISTS "${CMAKE_SOURCE_DIR}/systemd/fosterd.service.in")
  configure_file(systemd/fosterd.service.in systemd/fosterd.service @ONLY)
  install(FILES "${CMAKE_BINARY_DIR}/systemd/fosterd.service" DESTINATION "${FOSTER_SYSTEMD_UNIT_DIR}")
  install(FILES systemd/hardening.conf DESTINATION "${doc}/systemd" OPTIONAL)
endif()

# SPDX-License-Identifier: Apache-2.0
# tests of the QEMU driver on real VMs
forkfleet_tests(qemu_tests VM LIBRARIES forkfleet_scratch forkfleet_guest
  SOURCES
  node/qemu_attach_test.cpp
  node/qemu_branch_test.cpp
  node/qemu_chain_test.cpp
  node/qemu_confinement_test.cpp
  node/qemu_disk_test.cpp
  node/qemu_end_test.cpp
  node/qemu_inventory_test.cpp
  node/qemu_memory_test.cpp
  node/qemu_port_test.cpp
  node/qemu_safety_test.cpp
  support/foreign_vm.cpp
  support/hand_monitor.cpp
  support/hand_vm.cpp
  support/vm_fixture.cpp
)
add_dependencies(qemu_tests forkfleet-keeper)

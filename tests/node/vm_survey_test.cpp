// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_survey.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::qemu;

TEST_CASE("QEMU's text about memory blocks is read",
          "[node][qemu][survey][safety]") {
  const auto blocks = parse_ram_blocks(
    "              Block Name    PSize              Offset\r\n"
    "                     mem    4 KiB  0x0000000000000000\r\n"
    "   0000:00:02.0/vga.vram    4 KiB  0x0000000008080000\r\n"
    "    /rom@etc/acpi/tables    4 KiB  0x0000000008040000\r\n");
  REQUIRE(blocks);
  CHECK(*blocks
        == std::vector<std::string>{"mem", "0000:00:02.0/vga.vram",
                                    "/rom@etc/acpi/tables"});
}

TEST_CASE("a text that is not understood is not a VM without blocks",
          "[node][qemu][survey][safety]") {
  const auto* text =
    GENERATE("", "unknown command: 'info ramblock'\r\n", "Block Name PSize\r\n",
             "Block Name PSize\r\nmem\r\n");
  const auto blocks = parse_ram_blocks(text);
  REQUIRE_FALSE(blocks);
  CHECK(blocks.error().code == ec::vmm_refused);
}

TEST_CASE("QEMU's text about network backends is read",
          "[node][qemu][survey][safety]") {
  CHECK(parse_netdevs("")->empty());
  const auto types = parse_netdevs(
    "virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54\r\n"
    " \\ lan: index=0,type=vhost-user,vhost-user0 to wan\r\n"
    "filters:\r\n"
    "  - dump: type=filter-dump,netdev=lan\r\n"
    "hub 0\r\n"
    " \\ port\r\n"
    "other: index=0,type=user\r\n");
  REQUIRE(types);
  CHECK(*types == std::vector<std::string>{"vhost-user", "user"});
  CHECK(parse_netdevs("unknown command: 'info network'\r\n").error().code
        == ec::vmm_refused);
}

TEST_CASE("QEMU tells where guest memory is", "[node][qemu][survey]") {
  CHECK(parse_host_address(
          "Host virtual address for 0x0 (mem) is 0x7f41c7e00000\r\n")
        == 0x7f41c7e00000u);
  CHECK(parse_host_address("No memory is mapped at address 0x0\r\n") == 0);
}

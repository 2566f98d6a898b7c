// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_inventory.hpp"

#include <set>

#include <catch2/catch.hpp>

#include "node/qemu/argument_files.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;

namespace {

// A VM of which nothing keeps any method from capturing it.
vm_facts plain_vm() {
  return {.memory = memory_kind::private_anonymous,
          .memory_block = "mem",
          .memory_block_wanted = "mem",
          .ram_blocks = {"mem", "pc.bios", "/rom@etc/acpi/tables",
                         "0000:00:02.0/virtio-net-pci.rom"},
          .devices = {{"virtio-blk-device"}, {"virtio-net-pci"}},
          .nodes = {{"disk0", "raw", "/disk", false},
                    {"file0", "file", "/disk", false}}};
}

method_set whole(const inventory_verdict& x) {
  method_set result = 0;
  for (std::size_t i = 0; i < method_kinds; ++i)
    result |= static_cast<method_set>(x.missed[i].empty() ? 1u << i : 0u);
  return result;
}

// A name that an entry's pattern fits.
std::string example(std::string_view pattern) {
  auto result = std::string{};
  for (const char c : pattern)
    result += c == '*' ? std::string{"x"} : std::string{c};
  return result;
}

vm_facts with(vm_facts facts, vm_part part, const std::string& name) {
  switch (part) {
    case vm_part::device:
      facts.devices.push_back({name});
      break;
    case vm_part::ram_block:
      facts.ram_blocks.push_back(name);
      break;
    case vm_part::block_driver:
      facts.nodes.push_back({"node", name, "/file", false});
      break;
    case vm_part::host_device:
      facts.host_devices.push_back(name);
      break;
    case vm_part::netdev:
      facts.netdevs.push_back(name);
  }
  return facts;
}

constexpr auto every =
  methods(method_kind::tracked, method_kind::page_map, method_kind::background,
          method_kind::stopped_copy, method_kind::stopped_send);

} // namespace

TEST_CASE("a plain VM is captured by every method", "[node][qemu][inventory]") {
  const auto verdict = judge(plain_vm());
  CHECK(verdict.refusal.empty());
  CHECK(whole(verdict) == every);
  CHECK_FALSE(verdict.takes_input);
}

TEST_CASE("each part of the table is captured as the table says, or refused",
          "[node][qemu][inventory][safety]") {
  for (const auto& entry : inventory()) {
    const auto name = example(entry.pattern);
    CAPTURE(name);
    // No earlier entry hides it.
    REQUIRE(&entry_of(entry.part, name) == &entry);
    const auto verdict = judge(with(plain_vm(), entry.part, name));
    CHECK(whole(verdict) == entry.by);
    CHECK(verdict.refusal.empty() == (entry.by != 0));
    if (entry.by == 0) {
      CHECK(verdict.refusal.find(name) != std::string::npos);
      CHECK(verdict.refusal.find(entry.remedy) != std::string::npos);
    }
    if (entry.by != every)
      CHECK_FALSE(entry.why.empty());
  }
}

TEST_CASE("what is not known is not taken for harmless",
          "[node][qemu][inventory][safety]") {
  using enum method_kind;
  auto by = [](vm_part part) {
    return whole(judge(with(plain_vm(), part, "never-heard-of")));
  };
  CHECK(by(vm_part::device) == methods(stopped_send));
  CHECK(by(vm_part::ram_block) == methods(background, stopped_send));
  CHECK(by(vm_part::block_driver)
        == methods(page_map, stopped_copy, stopped_send));
  CHECK(whole(judge(with(plain_vm(), vm_part::ram_block, "vga.rom")))
        == methods(background, stopped_send));
  CHECK(
    whole(judge(with(plain_vm(), vm_part::ram_block, "0000:00:02.0/vga.vram")))
    == methods(background, stopped_send));
}

// Written out here, not read from the table: a row that is wrong is found.
TEST_CASE("who writes memory by itself is not tracked",
          "[node][qemu][inventory][safety]") {
  using enum method_kind;
  constexpr auto standing = methods(page_map, stopped_copy, stopped_send);
  auto by = [](vm_part part, const std::string& name) {
    return whole(judge(with(plain_vm(), part, name)));
  };
  for (const auto* name : {"vhost-scsi-pci", "vhost-vsock-pci"})
    CHECK(by(vm_part::device, name) == standing);
  CHECK(by(vm_part::host_device, "/dev/vhost-net") == standing);
  for (const auto* name : {"vhost-user", "vhost-vdpa"})
    CHECK(by(vm_part::netdev, name) == 0);
  CHECK(by(vm_part::netdev, "tap") == every);
  CHECK(by(vm_part::device, "virtserialport")
        == methods(tracked, background, stopped_send));
  CHECK(by(vm_part::device, "pc-dimm") == methods(background, stopped_send));
  for (const auto* name :
       {"vfio-pci", "vhost-vdpa-device-pci", "vhost-user-fs-pci",
        "ivshmem-plain", "virtio-balloon-pci", "virtio-mem-pci", "nvdimm",
        "virtio-pmem-pci"})
    CHECK(by(vm_part::device, name) == 0);
}

TEST_CASE("a disk that passes the page tables by is not tracked",
          "[node][qemu][inventory][safety]") {
  auto facts = plain_vm();
  facts.nodes[1].is_direct = true;
  const auto verdict = judge(facts);
  CHECK(whole(verdict) == (every & ~methods(method_kind::tracked)));
  const auto& why = verdict.missed_by(method_kind::tracked);
  CHECK(why.find("file0 (/disk)") != std::string::npos);
  CHECK(why.find("cache.direct") != std::string::npos);
}

TEST_CASE("memory is only tracked where nobody else writes it",
          "[node][qemu][inventory][safety]") {
  using enum method_kind;
  constexpr auto whole_copy = methods(background, stopped_copy, stopped_send);
  auto facts = plain_vm();
  facts.memory = memory_kind::shared;
  CHECK(whole(judge(facts)) == whole_copy);
  facts.is_child = true;
  CHECK(whole(judge(facts)) == whole_copy);
  facts.memory = memory_kind::private_file;
  CHECK(whole(judge(facts)) == every);
  facts.is_child = false;
  CHECK(whole(judge(facts)) == whole_copy);
}

TEST_CASE("what a child would not have is refused by name",
          "[node][qemu][inventory][safety]") {
  auto facts = plain_vm();
  std::string wanted;
  SECTION("a device that came later") {
    facts.devices[0].is_hotplugged = true;
    wanted = "virtio-blk-device was plugged in after the start";
  }
  SECTION("a device that nobody named") {
    facts.devices[1].is_in_contract = false;
    wanted = "virtio-net-pci would not be in a child";
  }
  SECTION("memory of several backends") {
    facts.memory_block = facts.memory_block_wanted = "";
    wanted = "its main memory is not one backend";
  }
  SECTION("another main memory") {
    facts.memory_block = "other";
    wanted = "its main memory is the backend other";
  }
  SECTION("a file that a child would write") {
    facts.backends = {{"extra", "memory-backend-file", true}};
    wanted = "its memory backend extra is a shared file";
  }
  SECTION("what QEMU itself cannot save") {
    facts.blockers = {"the guest has mounted 9p"};
    wanted = "QEMU cannot save it: the guest has mounted 9p";
  }
  CHECK(judge(facts).refusal.find(wanted) != std::string::npos);
}

TEST_CASE("a port takes data while the guest stands",
          "[node][qemu][inventory][safety]") {
  const auto verdict =
    judge(with(plain_vm(), vm_part::device, "virtserialport"));
  CHECK(verdict.takes_input);
  CHECK_FALSE(verdict.missed_by(method_kind::stopped_copy).empty());
  CHECK(verdict.missed_by(method_kind::tracked).empty());
}

TEST_CASE("what gives a VM devices unsaid is found",
          "[node][qemu][inventory][safety]") {
  const auto none = std::vector<std::string>{};
  auto option = [&](std::vector<std::string> arguments) {
    arguments.push_back("-nodefaults");
    return undescribed_option(arguments, none);
  };
  CHECK(option({"qemu", "-m", "128M", "-display", "none"}).empty());
  CHECK(option({"-vga", "std"}) == "-vga");
  CHECK(option({"-vga", "none", "-nic", "none"}).empty());
  CHECK(option({"--net", "nic"}) == "--net");
  CHECK(option({"-drive", "file=x,if=none,id=a"}).empty());
  CHECK(option({"-drive", "file=x"}) == "-drive");
  const auto plain = std::vector<std::string>{"qemu", "-m", "128M"};
  CHECK(undescribed_option(plain, none) == "QEMU's default devices");
  const auto vga = std::vector<std::string>{"-nodefaults", "-vga", "std"};
  CHECK(undescribed_option(vga, vga).empty());
  auto facts = plain_vm();
  facts.undescribed = "-vga";
  CHECK(judge(facts).refusal.find("it was started with -vga")
        != std::string::npos);
}

TEST_CASE("the devices of a command line are read as QEMU reads them",
          "[node][qemu][inventory]") {
  const auto arguments = std::vector<std::string>{
    "-device",  "virtio-rng",
    "-object",  "x",
    "--device", R"({"driver":"virtio-balloon-pci","id":"b"})",
    "-device",  "driver=VGA,vgamem_mb=32"};
  CHECK(
    devices_of_arguments(arguments)
    == std::vector<std::string>{"virtio-rng-pci", "virtio-balloon-pci", "VGA"});
  CHECK(argument_obstacle(arguments).find("virtio-balloon-pci")
        != std::string::npos);
  CHECK(argument_obstacle(std::span{arguments}.first(4)).empty());
}

TEST_CASE("the files that arguments have a guest read are found",
          "[node][qemu][inventory]") {
  const auto arguments = std::vector<std::string>{
    "-blockdev", "driver=file,node-name=a,filename=/a,,b.raw,read-only=on",
    "--drive",   "file=file:/c.qcow2,if=none,id=c",
    "-blockdev", R"({"driver":"raw","file":{"filename":"/d"},"x":["/e",1]})",
    "-bios",     "/firmware",
    "-device",   "virtio-net-pci,romfile=/rom",
    "-fw_cfg",   "name=opt/x,file=/a,,b.raw",
    "-chardev",  "file,id=log,path=/written",
    "-name",     "/no/file"};
  CHECK(files_of_arguments(arguments)
        == std::vector<std::string>{"/a,b.raw", "/c.qcow2", "/d", "/e",
                                    "/firmware", "/rom"});
}

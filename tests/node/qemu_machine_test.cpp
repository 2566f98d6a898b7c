// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <catch2/catch.hpp>

#include "node/qemu/machine.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;

namespace {

config::sandbox_section section() {
  auto x = config::sandbox_section{};
  x.kernel = "/boot/vmlinuz";
  x.initrd = "/boot/initrd, the second";
  x.append = "ff.rate=1";
  x.memory = {64ull << 20};
  x.vcpus = 2;
  x.debug_console = true;
  x.disks = {{.path = "/disks/a,b.raw", .format = "raw", .readonly = true}};
  x.qemu_arguments = {"-device", "virtio-rng-device"};
  return x;
}

bool has_pair(const std::vector<std::string>& argv, const std::string& name,
              const std::string& value) {
  for (std::size_t i = 0; i + 1 < argv.size(); ++i)
    if (argv[i] == name && argv[i + 1] == value)
      return true;
  return false;
}

} // namespace

TEST_CASE("a fresh VM gets its own memory and the host's clock rate",
          "[node][qemu][machine]") {
  const auto x = machine_of(section(), "tcg", 2400000);
  const auto argv = command_line(x, {.qemu = "/usr/bin/qemu"});
  CHECK(argv.front() == "/usr/bin/qemu");
  CHECK(has_pair(argv, "-M", "microvm,accel=tcg,rtc=on,memory-backend=mem"));
  CHECK(has_pair(argv, "-object", "memory-backend-ram,id=mem,size=67108864B"));
  CHECK(has_pair(argv, "-initrd", "/boot/initrd, the second"));
  CHECK(x.append.find("tsc_early_khz=2400000") != std::string::npos);
  CHECK(x.append.ends_with(" ff.rate=1"));
  CHECK(std::count(argv.begin(), argv.end(), "-incoming") == 0);
}

TEST_CASE("a child maps the image privately and waits for its state",
          "[node][qemu][machine][safety]") {
  const auto x = machine_of(section(), "tcg", 0);
  const auto argv =
    command_line(x, {.qemu = "q", .memory_path = "/snap,shots/memory.bin"});
  CHECK(has_pair(argv, "-object",
                 "memory-backend-file,id=mem,size=67108864B,"
                 "mem-path=/snap,,shots/memory.bin,share=off"));
  CHECK(has_pair(argv, "-incoming", "defer"));
}

TEST_CASE("disks, the debug console and more arguments reach QEMU",
          "[node][qemu][machine]") {
  const auto argv = command_line(machine_of(section(), "tcg", 0), {"q", ""});
  CHECK(has_pair(argv, "-blockdev",
                 R"({"driver":"file","node-name":"file0",)"
                 R"("filename":"/disks/a,b.raw","read-only":true})"));
  CHECK(has_pair(argv, "-device", "virtio-blk-device,drive=disk0"));
  CHECK(has_pair(argv, "-device", "isa-debugcon,iobase=0xe9,chardev=debug"));
  CHECK(has_pair(argv, "-device", "virtio-rng-device"));
  auto other = section();
  other.machine = "q35";
  CHECK(has_pair(command_line(machine_of(other, "tcg", 0), {"q", ""}),
                 "-device", "virtio-blk-pci,drive=disk0"));
}

TEST_CASE("a guest has one network device, whatever is behind it",
          "[node][qemu][machine][network]") {
  auto x = machine_of(section(), "tcg", 0);
  auto argv = command_line(x, {"q", ""});
  CHECK(std::count(argv.begin(), argv.end(), "-netdev") == 0);
  const auto* device = "virtio-net-device,netdev=net0,mac=02:66:66:00:00:02";
  x.network = network_mode::isolated;
  argv = command_line(x, {"q", ""});
  CHECK(has_pair(argv, "-device", device));
  CHECK(has_pair(argv, "-netdev",
                 "tap,id=net0,ifname=tap0,script=no,downscript=no,vhost=off"));
  x.network = network_mode::user;
  argv = command_line(x, {"q", ""});
  CHECK(has_pair(argv, "-device", device));
}

TEST_CASE("user mode lets a guest reach everything or nothing",
          "[node][qemu][machine][network][safety]") {
  auto x = machine_of(section(), "tcg", 0);
  x.network = network_mode::user;
  const auto is_open = [&x] {
    const auto argv = command_line(x, {"q", ""});
    const auto at = std::find(argv.begin(), argv.end(), "-netdev");
    REQUIRE(at != argv.end());
    const bool result = (at + 1)->ends_with(",restrict=off");
    CHECK(result != (at + 1)->ends_with(",restrict=on"));
    return result;
  };
  CHECK_FALSE(is_open());
  x.egress = {"192.0.2.0/24", "0.0.0.0/0:443"};
  CHECK_FALSE(is_open());
  x.egress.push_back("0.0.0.0/0");
  CHECK(is_open());
}

TEST_CASE("a machine comes back from its contract unchanged",
          "[node][qemu][machine]") {
  auto x = machine_of(section(), "tcg", 2400000);
  x.network = network_mode::isolated;
  x.egress = {"192.0.2.0/24:443", "192.0.2.7"};
  x.files = {{.use = "kernel",
              .path = "/boot/vmlinuz",
              .bytes = 7,
              .sha256 = std::string(64, 'a')}};
  x.disks.push_back({.path = "/c:d=e", .format = "qcow2", .readonly = false});
  const auto contract = to_contract(x, "7.2.22");
  CHECK(contract.vmm_version == "7.2.22");
  const auto back = from_contract(contract);
  REQUIRE(back);
  CHECK(*back == x);
}

TEST_CASE("a contract that is not understood is refused by name",
          "[node][qemu][machine]") {
  auto contract = to_contract(machine_of(section(), "tcg", 0), "7.2.22");
  contract.arguments.push_back("numa=on");
  const auto back = from_contract(contract);
  REQUIRE_FALSE(back);
  CHECK(back.error().code == ec::unsupported);
  CHECK(back.error().message.find("numa=on") != std::string::npos);
  contract.driver = "firecracker";
  CHECK_FALSE(from_contract(contract));
}

TEST_CASE("versions of one line differ only in their last number",
          "[node][qemu][machine]") {
  CHECK(is_same_line("7.2.22", "7.2.9"));
  CHECK_FALSE(is_same_line("7.2.22", "7.1.22"));
  CHECK_FALSE(is_same_line("7.2.22", "10.0.2"));
}

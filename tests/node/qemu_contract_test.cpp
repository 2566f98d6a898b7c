// SPDX-License-Identifier: Apache-2.0
// What a stranger's contract can make QEMU do: nothing that a machine of ours
// does not.
#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <catch2/catch.hpp>

#include "node/qemu/option_text.hpp"
#include "node/qemu/pinned_files.hpp"
#include "node/qemu/vm_launch.hpp"
#include "node/storage/file.hpp"
#include "node/storage/qcow2_file.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;

namespace {

void write_text(const std::string& path, const std::string& text) {
  std::ofstream{path} << text;
}

/// A machine with a kernel, an initrd, a read-only disk and a written one.
struct contract_fixture {
  scratch_directory home;
  std::string kernel = home.path() + "/kernel";
  std::string initrd = home.path() + "/initrd";
  std::string data = home.path() + "/data.raw";
  std::string root = home.path() + "/root.qcow2";
  std::string base = home.path() + "/base.raw";
  machine made;

  contract_fixture() {
    write_text(kernel, "a kernel");
    write_text(initrd, "an initrd");
    write_text(data, std::string(4096, 'd'));
    write_text(base, std::string(65536, 'b'));
    make_over(root, base);
    auto spec = config::sandbox_section{};
    spec.kernel = kernel;
    spec.initrd = initrd;
    spec.memory = {64u << 20};
    spec.disks = {{.path = data, .format = "raw", .readonly = true},
                  {.path = root, .format = "qcow2"}};
    made = machine_of(spec, "tcg", 0);
    REQUIRE(pin_files(made));
  }

  /// A qcow2 image that lies over a raw one, by its header.
  static void make_over(const std::string& path, const std::string& under) {
    auto bytes = empty_qcow2(65536);
    const auto put = [&bytes](std::size_t at, const std::string& text) {
      std::copy(text.begin(), text.end(),
                bytes.begin() + static_cast<std::ptrdiff_t>(at));
    };
    using namespace std::string_literals;
    put(104, "\xe2\x79\x2a\xca\0\0\0\x03raw"s);
    put(8, "\0\0\0\0\0\0\x01\0"s);
    put(16, std::string(3, '\0') + static_cast<char>(under.size()));
    put(256, under);
    write_text(path, {bytes.begin(), bytes.end()});
  }

  /// A child's plan. What is not own came out of an archive.
  start_plan plan(bool is_own, bool is_vouched = true) const {
    return {.snapshot = snapshot_files{
              .info = {.tag = {"snap"},
                       .origin = is_own ? snapshot_origin::sealed
                                        : snapshot_origin::imported},
              .contract = to_contract(made, "7.2.22"),
              .is_vouched = is_vouched}};
  }

  failure refusal(const start_plan& what) {
    const auto planned = plan_machine(what, "");
    REQUIRE_FALSE(planned);
    CHECK(planned.error().code == ec::unsupported);
    // No hash of a host's file is told.
    for (const auto& file : made.files)
      CHECK(planned.error().message.find(file.sha256) == std::string::npos);
    return planned.error();
  }
};

} // namespace

TEST_CASE("a value ends where it should", "[node][qemu][option_text][safety]") {
  auto text = option_text{"file"};
  text.set("filename", "/a,readonly=off").set("id", "b");
  CHECK(text.take() == "file,filename=/a,,readonly=off,id=b");
  CHECK(option_text{"pc,dump-guest-core=on"}.take()
        == "pc,,dump-guest-core=on");
}

TEST_CASE_METHOD(contract_fixture, "a contract says only what a machine can be",
                 "[node][qemu][machine][safety]") {
  auto contract = to_contract(made, "7.2.22");
  REQUIRE(from_contract(contract));
  SECTION("machine type") {
    contract.machine = "q35,dump-guest-core=on";
  }
  SECTION("accelerator") {
    contract.accelerator = "tcg,thread=single";
  }
  SECTION("CPU") {
    contract.cpu = "qemu64 -daemonize";
  }
  SECTION("no processor") {
    contract.vcpus = 0;
  }
  SECTION("memory block") {
    contract.arguments.emplace_back("memory_block=mem,share=on");
  }
  SECTION("disk's format") {
    contract.arguments.emplace_back("disk=raw,file.driver=nbd:ro:/x");
  }
  SECTION("disk's mode") {
    contract.arguments.emplace_back("disk=raw:rwx:/x");
  }
  SECTION("disk's path") {
    contract.arguments.emplace_back("disk=raw:ro:nbd://10.0.0.1");
  }
  SECTION("kernel's path") {
    contract.arguments.emplace_back("kernel=-pidfile");
  }
  SECTION("egress rule") {
    contract.arguments.emplace_back("egress=10.0.0.0/8; drop");
  }
  SECTION("console") {
    contract.arguments.emplace_back("debug_console=/etc/passwd");
  }
  SECTION("command line of a page and more") {
    contract.arguments.push_back("append=" + std::string(3000, 'a'));
  }
  SECTION("unknown part") {
    contract.arguments.emplace_back("netdev=bridge,helper=/tmp/x");
  }
  SECTION("line break") {
    contract.arguments.emplace_back("append=a\nb");
  }
  const auto back = from_contract(contract);
  REQUIRE_FALSE(back);
  CHECK(back.error().code == ec::unsupported);
}

TEST_CASE_METHOD(contract_fixture,
                 "an own snapshot's files are where they were",
                 "[node][qemu][pinned_files]") {
  const auto planned = plan_machine(plan(true), "");
  REQUIRE(planned);
  CHECK(planned->what == made);
  REQUIRE(planned->images.size() == 2);
  CHECK(planned->images[1]
        == std::vector<image_file>{{root, "qcow2", ""}, {base, "raw", ""}});
}

TEST_CASE_METHOD(contract_fixture, "a file that changed is named",
                 "[node][qemu][pinned_files][safety]") {
  const auto path = std::vector{kernel, initrd, data, root, base}.at(
    GENERATE(0u, 1u, 2u, 3u, 4u));
  CAPTURE(path);
  struct stat before {};
  REQUIRE(::stat(path.c_str(), &before) == 0);
  {
    const auto fd = open_file(path, O_RDWR);
    REQUIRE(fd);
    auto byte = std::vector<uint8_t>(1);
    const uint64_t at = path == root ? 65000 : 7;
    REQUIRE(read_at(fd->get(), byte, at, path));
    byte[0] ^= 1;
    REQUIRE(write_at(fd->get(), byte, at, path));
  }
  SECTION("as it is") {}
  SECTION("with the time that it had") {
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  }
  CHECK_THAT(refusal(plan(true)).message, Catch::Contains(path));
}

TEST_CASE_METHOD(contract_fixture, "a file that was copied back is the same",
                 "[node][qemu][pinned_files]") {
  for (const auto& path : {kernel, data, root, base}) {
    REQUIRE(::rename(path.c_str(), (path + ".old").c_str()) == 0);
    std::ofstream{path, std::ios::binary}
      << std::ifstream{path + ".old", std::ios::binary}.rdbuf();
  }
  CHECK(plan_machine(plan(true), ""));
  REQUIRE(::unlink(base.c_str()) == 0);
  CHECK_THAT(refusal(plan(true)).message, Catch::Contains(base));
}

TEST_CASE_METHOD(contract_fixture,
                 "a stranger's snapshot gets files of the fleet file, or none",
                 "[node][qemu][pinned_files][safety]") {
  auto what = plan(false, false);
  CHECK_THAT(refusal(what).message, Catch::Contains("was not sealed here"));
  auto images = host_images{.files = {kernel, initrd, data}};
  what.images = std::make_shared<host_images>(images);
  CHECK_THAT(refusal(what).message, Catch::Contains("disk1"));
  images.files.push_back(root);
  what.images = std::make_shared<host_images>(images);
  REQUIRE(plan_machine(what, ""));
  // What it says of paths does not matter.
  for (auto& argument : what.snapshot->contract.arguments)
    if (argument.starts_with("kernel="))
      argument = "kernel=/etc/shadow";
  const auto planned = plan_machine(what, "");
  REQUIRE(planned);
  CHECK(planned->what.kernel == kernel);
  // Nor does a pin without a hash: its size and time can be guessed.
  for (auto& file : what.snapshot->contract.files)
    file.sha256.clear();
  CHECK_THAT(refusal(what).message, Catch::Contains("kernel"));
}

TEST_CASE_METHOD(contract_fixture,
                 "arguments are passed on where the fleet file has the same",
                 "[node][qemu][safety]") {
  made.more = {"-device", "virtio-rng-device"};
  auto what = plan(true);
  CHECK_THAT(refusal(what).message, Catch::Contains("qemu_arguments"));
  what.images = std::make_shared<host_images>(
    host_images{.arguments = {{"-s"}, {"-device", "virtio-rng-device"}}});
  const auto planned = plan_machine(what, "");
  REQUIRE(planned);
  CHECK(planned->what.more == made.more);
  made.more.emplace_back("-S");
  auto more = plan(true);
  more.images = what.images;
  refusal(more);
  // Never on a stranger's word.
  what.snapshot->is_vouched = false;
  CHECK_THAT(refusal(what).message, Catch::Contains("nor signed"));
}

TEST_CASE_METHOD(contract_fixture, "an image lies over plain files only",
                 "[node][qemu][image_chain][safety]") {
  const std::string name =
    GENERATE("nbd://10.0.0.1/x", "json:{}", "/dev/zero", "/no/such");
  make_over(root, name);
  CHECK(image_chain({.path = root, .format = "qcow2"}).error().code
        == ec::invalid_request);
}

TEST_CASE_METHOD(contract_fixture, "QEMU opens what it is told and no other",
                 "[node][qemu][machine][safety]") {
  const auto planned = plan_machine(plan(true), "");
  REQUIRE(planned);
  const auto argv =
    command_line(planned->what, {.qemu = "q", .images = planned->images});
  auto nodes = std::vector<json>{};
  for (std::size_t i = 0; i + 1 < argv.size(); ++i)
    if (argv[i] == "-blockdev")
      nodes.push_back(json::parse(argv[i + 1]));
  REQUIRE(nodes.size() == 6);
  for (const auto& node : nodes)
    if (node.at("driver") == "qcow2")
      CHECK(node.at("backing") == "image1-1");
  const auto alone = command_line(planned->what, {.qemu = "q"});
  for (std::size_t i = 0; i + 1 < alone.size(); ++i)
    if (alone[i] == "-blockdev") {
      const auto node = json::parse(alone[i + 1]);
      if (node.at("driver") == "qcow2")
        CHECK(node.at("backing").is_null());
    }
}

TEST_CASE("a layer keeps its data in itself", "[storage][qcow2_file][safety]") {
  const scratch_directory home;
  const auto path = home.path() + "/layer.qcow2";
  constexpr uint64_t size = 8u << 20;
  REQUIRE(make_qcow2(path, size));
  REQUIRE(check_layer(path, size, true));
  const auto put = [&path](uint64_t at, std::vector<uint8_t> bytes) {
    const auto fd = open_file(path, O_RDWR);
    REQUIRE(fd);
    REQUIRE(write_at(fd->get(), bytes, at, path));
  };
  SECTION("another size") {
    put(24, {0, 0, 1, 0, 0, 0, 0, 0});
  }
  SECTION("data elsewhere") {
    put(72, {0, 0, 0, 0, 0, 0, 0, 4});
  }
  SECTION("a name of data elsewhere") {
    put(104, {0x44, 0x41, 0x54, 0x41, 0, 0, 0, 8, '/', 'e', 't', 'c', '/', 's',
              'h', 'a'});
  }
  SECTION("a name of what it lies over") {
    put(8, {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 11});
    put(256, {'/', 'e', 't', 'c', '/', 's', 'h', 'a', 'd', 'o', 'w'});
  }
  SECTION("a name outside of its header") {
    put(8, {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 11});
  }
  SECTION("encrypted") {
    put(32, {0, 0, 0, 2});
  }
  SECTION("snapshots inside") {
    put(60, {0, 0, 0, 1});
  }
  SECTION("extensions without end") {
    put(104, {1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff});
  }
  SECTION("none at all") {
    put(0, {0, 0, 0, 0});
  }
  CHECK(check_layer(path, size, true).error().code == ec::snapshot_corrupt);
}

// SPDX-License-Identifier: Apache-2.0
// Memory of every kind, and all that writes it: what a child finds in its own
// memory is what its source had at the branch.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <unistd.h>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/fault.hpp"
#include "examples/numbered_image.hpp"
#include "tests/support/foreign_vm.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t numbered_bytes = 32u << 20;
constexpr const char* hard_words =
  "ff.rate_mib=40 ff.set_mib=8 ff.tick_us=1000 ff.direct=3 ff.churn_mib=16";

// A disk that the guest reads past its page cache, as QEMU does past ours.
std::vector<std::string> direct_disk(const std::string& path,
                                     const std::string& how) {
  return {"-blockdev",
          "driver=file,node-name=numbered-file,filename=" + path
            + ",read-only=on" + how,
          "-blockdev",
          "driver=raw,node-name=numbered,file=numbered-file,read-only=on",
          "-device",
          "virtio-blk-device,drive=numbered"};
}

// An image on a file system that has a disk: memory is never written directly.
class numbered_file {
public:
  numbered_file() {
    ::close(::mkstemp(path_.data()));
    REQUIRE(guest::make_numbered_image(path_, numbered_bytes));
  }
  ~numbered_file() { ::unlink(path_.c_str()); }
  numbered_file(const numbered_file&) = delete;
  numbered_file& operator=(const numbered_file&) = delete;
  const std::string& path() const { return path_; }

private:
  std::string path_ = "/var/tmp/numbered-XXXXXX";
};

// Two processors, a numbered disk, and pages that are zeroed and freed.
start_plan hard_plan(const vm_fixture& world, const numbered_file& disk,
                     const std::string& how) {
  auto result = world.plan("source");
  result.spec.vcpus = 2;
  result.spec.append = hard_words;
  result.spec.qemu_arguments = direct_disk(disk.path(), how);
  return result;
}

void check_child(vm_fixture& world, const snapshot_files& files,
                 uint64_t ticks = 300) {
  const auto child = world.restore(files, "child-of-" + files.info.tag.value);
  vm_fixture::check_guest(*child, ticks);
  CHECK(child->stop(soon()));
}

void replace_backend(std::vector<std::string>& arguments,
                     const std::string& backend) {
  const auto found = std::ranges::find_if(arguments, [](const std::string& x) {
    return x.starts_with("memory-backend-ram,");
  });
  REQUIRE(found != arguments.end());
  *found = backend + found->substr(found->find(','));
}

// It may write memory as nobody knows: the guest must stand to be captured.
void add_strange_node(std::vector<std::string>& arguments) {
  arguments.insert(arguments.end(),
                   {"-blockdev", "null-co,node-name=none,size=1048576",
                    "-blockdev", "blkdebug,node-name=strange,image=none"});
}

std::string whole_method(bool stands) {
  return stands ? "stopped-copy" : "background-snapshot";
}

} // namespace

TEST_CASE_METHOD(vm_fixture, "memory that is shared is copied, all of it",
                 "[node][qemu][vm][memory][safety]") {
  if (!can_run())
    return;
  const std::string backend =
    GENERATE("memory-backend-memfd,share=on", "memory-backend-ram,share=on");
  const bool stands = GENERATE(false, true);
  CAPTURE(backend, stands);
  const auto foreign = foreign_vm{*this, [&](std::vector<std::string>& x) {
                                    replace_backend(x, backend);
                                    if (stands)
                                      add_strange_node(x);
                                  }};
  foreign.wait_until_up();
  const auto vm = start(foreign.plan(*this, true));
  const auto files = branch(*vm, branch_mode::full, "full");
  CHECK(last_result().method == whole_method(stands));
  check_child(*this, files);
  if (!stands)
    check_child(*this, branch(*vm, branch_mode::live, "live"));
  check_child(*this, diff(*vm, "full", "diff"));
  CHECK(last_result().method == whole_method(stands));
}

TEST_CASE_METHOD(vm_fixture, "what a disk writes past the page tables is there",
                 "[node][qemu][vm][memory][direct][safety]") {
  if (!can_run())
    return;
  const std::string how =
    GENERATE(",cache.direct=on", ",cache.direct=on,aio=native");
  CAPTURE(how);
  const auto disk = numbered_file{};
  const auto vm = start(hard_plan(*this, disk, how));
  check_guest(*vm, 300);
  auto last = std::string{"base"};
  check_child(*this, branch(*vm, branch_mode::full, last));
  for (int i = 1; i <= 3; ++i) {
    const auto live = "live-" + std::to_string(i);
    check_child(*this, branch(*vm, branch_mode::live, live));
    const auto name = "diff-" + std::to_string(i);
    check_child(*this, diff(*vm, live, name));
    last = name;
  }
  check_guest(*vm, 100);
}

TEST_CASE_METHOD(vm_fixture,
                 "a disk that is overlooked is found out by the "
                 "guest",
                 "[node][qemu][vm][memory][direct][safety]") {
  if (!can_run())
    return;
  const auto disk = numbered_file{};
  REQUIRE(::setenv(fault_variable, "fail:survey.direct", 1) == 0);
  const auto vm = start(hard_plan(*this, disk, ",cache.direct=on"));
  const auto allowed = vm->capabilities(soon());
  bool is_found = false;
  check_guest(*vm, 300);
  for (int i = 1; i <= 20 && !is_found; ++i) {
    const auto name = "torn-" + std::to_string(i);
    const auto files = branch(*vm, branch_mode::live, name);
    const auto child = restore(files, "child-of-" + name);
    const auto heard =
      guest::guest_watch::open(child->describe().debug_console, soon());
    REQUIRE(heard);
    const auto now = (*heard)->wait_for_tick(std::chrono::steady_clock::now()
                                               + std::chrono::milliseconds{500},
                                             soon());
    is_found = (*heard)->state().errors > 0 || !now;
    CHECK(child->stop(soon()));
  }
  ::unsetenv(fault_variable);
  if (!allowed || !allowed->full_is_tracked)
    return skip("memory cannot be tracked here");
  CHECK(is_found);
}

TEST_CASE_METHOD(vm_fixture, "a file that memory shows is in the snapshot",
                 "[node][qemu][vm][memory][safety]") {
  if (!can_run())
    return;
  const auto file = home() + "/backend";
  constexpr uint64_t word = 0x0ff1ceba5eba11;
  {
    const auto page = std::vector<uint64_t>(guest_page_bytes / 8, word);
    auto out = std::ofstream{file, std::ios::binary};
    for (uint64_t at = 0; at < plan("any").spec.memory.value;
         at += guest_page_bytes)
      out.write(reinterpret_cast<const char*>(page.data()), guest_page_bytes);
  }
  const bool stands = GENERATE(false, true);
  CAPTURE(stands);
  const auto foreign = foreign_vm{
    *this, [&](std::vector<std::string>& x) {
      replace_backend(x, "memory-backend-file,share=off,mem-path=" + file);
      if (stands)
        add_strange_node(x);
    }};
  foreign.wait_until_up();
  const auto vm = start(foreign.plan(*this, true));
  const auto files = branch(*vm, branch_mode::full, "full");
  CHECK(last_result().method == whole_method(stands));
  // The guest never wrote most of its memory.
  uint64_t shown = 0;
  auto page = std::vector<uint64_t>(guest_page_bytes / 8);
  auto in = std::ifstream{files.memory.files.front(), std::ios::binary};
  while (in.read(reinterpret_cast<char*>(page.data()), guest_page_bytes))
    shown += std::ranges::count(page, word) == std::ssize(page) ? 1 : 0;
  CHECK(shown > 1000);
  check_child(*this, files);
}

TEST_CASE_METHOD(vm_fixture, "a guest that writes fast is branched every time",
                 "[node][qemu][vm][memory][chain]") {
  if (!can_run())
    return;
  auto fast = plan("fast");
  fast.spec.memory = {256ull << 20};
  fast.spec.append = "ff.rate_mib=4096 ff.set_mib=140 ff.tick_us=2000";
  const auto vm = start(fast);
  check_guest(*vm, 100);
  auto last = std::string{"base"};
  branch(*vm, branch_mode::full, last);
  for (int i = 1; i <= 5; ++i) {
    const auto name = "diff-" + std::to_string(i);
    diff(*vm, last, name);
    last = name;
  }
  check_child(*this, diff(*vm, last, "last"));
}

TEST_CASE_METHOD(vm_fixture,
                 "pages that became zero, or were freed, are so in "
                 "the child",
                 "[node][qemu][vm][memory][chain][safety]") {
  if (!can_run())
    return;
  auto churning = plan("churning");
  churning.spec.memory = {192ull << 20};
  churning.spec.vcpus = 2;
  // So much between two passes that it does not wait in memory.
  churning.spec.append = "ff.rate_mib=2000 ff.set_mib=4 ff.tick_us=2000 "
                         "ff.churn_mib=96 ff.idle=sleep";
  const auto vm = start(churning);
  check_guest(*vm, 200);
  auto last = std::string{"base"};
  check_child(*this, branch(*vm, branch_mode::full, last));
  for (int i = 1; i <= 3; ++i) {
    const auto name = "diff-" + std::to_string(i);
    check_child(*this, diff(*vm, last, name), 500);
    last = name;
  }
}

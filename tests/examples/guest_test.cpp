// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "examples/guest/memory.hpp"
#include "examples/guest_watch.hpp"
#include "tests/support/hand_vm.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::guest;
using namespace std::chrono_literals;

namespace {

host_time in(std::chrono::seconds x) {
  return std::chrono::steady_clock::now() + x;
}

/// A folder that is removed with all it holds.
struct scratch_folder {
  std::string path = "/tmp/forkfleet-guest-XXXXXX";

  scratch_folder() { REQUIRE(mkdtemp(path.data()) != nullptr); }
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string make(const std::string& name) const {
    std::filesystem::create_directory(path + "/" + name);
    return path + "/" + name;
  }
};

uint64_t first_word(std::istream& file, uint64_t offset) {
  uint64_t word = 0;
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(reinterpret_cast<char*>(&word), sizeof word);
  return word;
}

/// Puts the ring's pages of `from` that changed in the place of those in
/// `into`, from the offset on. The kernel's own pages stay whole, so that the
/// guest lives to tell. How many pages were replaced.
size_t replace_ring_pages(const std::string& into, const std::string& from,
                          uint64_t offset) {
  std::fstream target(into, std::ios::in | std::ios::out | std::ios::binary);
  std::ifstream source(from, std::ios::binary);
  std::array<char, page_size> page{};
  size_t replaced = 0;
  for (auto at = offset; source.seekg(static_cast<std::streamoff>(at))
                           .read(page.data(), page_size);
       at += page_size) {
    const auto late = first_word(source, at);
    const auto early = first_word(target, at);
    const auto is_ring = read_stamp(late) && read_stamp(early);
    if (!is_ring || late == early)
      continue;
    target.seekp(static_cast<std::streamoff>(at)).write(page.data(), page_size);
    ++replaced;
  }
  return replaced;
}

struct watched_vm {
  std::unique_ptr<test::hand_vm> vm;
  std::unique_ptr<guest_watch> watch;
};

struct guest_fixture {
  scratch_folder scratch;
  std::string memory = scratch.path + "/memory.bin";
  std::string state = scratch.path + "/vmstate";

  watched_vm start(const test::hand_vm_options& options) {
    auto vm = test::hand_vm::start(options);
    REQUIRE(vm);
    auto watch = guest_watch::open((*vm)->debug_socket(), in(5s));
    REQUIRE(watch);
    // Not before it is listened to: its first words count, too.
    if (!options.state_file.empty())
      REQUIRE((*vm)->execute("cont"));
    return {std::move(*vm), std::move(*watch)};
  }

  watched_vm start_source() {
    auto x = start({.folder = scratch.make("source"),
                    .append = "ff.rate_mib=200 ff.set_mib=64"});
    const auto counts = x.watch->wait_for_counter(2000, in(60s));
    INFO(x.vm->console());
    REQUIRE(counts);
    return x;
  }

  /// A branch with nothing of ours: the time at which the guest stood.
  host_time branch(test::hand_vm& vm) {
    REQUIRE(vm.execute("stop"));
    const auto stopped = std::chrono::steady_clock::now();
    REQUIRE(vm.copy_memory(memory, 0, vm.memory_bytes()));
    REQUIRE(vm.save_state(state));
    REQUIRE(vm.execute("cont"));
    return stopped;
  }

  /// What the guest says of itself, once a second.
  template <class Holds>
  static bool wait_until(const watched_vm& x, Holds holds) {
    for (const auto until = in(60s); !holds(x.watch->state());) {
      const auto more = x.watch->last()->counter + 200;
      if (in(0s) >= until || !x.watch->wait_for_counter(more, until))
        return false;
    }
    return true;
  }

  watched_vm start_child() {
    return start({.folder = scratch.make("child"),
                  .append = "ff.rate_mib=200 ff.set_mib=64",
                  .memory_file = memory,
                  .state_file = state});
  }
};

} // namespace

TEST_CASE_METHOD(guest_fixture, "a restored guest counts on from its branch",
                 "[examples][guest][vm]") {
  if (const auto why = test::guest_obstacle(); !why.empty())
    return test::skip(why);
  auto source = start_source();
  auto& vm = *source.vm;
  const auto stopped = branch(vm);
  const auto resumed = source.watch->wait_for_tick(stopped + 1ms, in(10s));
  REQUIRE(resumed);
  auto child = start_child();
  REQUIRE(child.watch->wait_for_counter(resumed->counter + 4000, in(60s)));
  // A record that the pause cut in two is whole only in the source's output.
  CHECK(child.watch->first()->counter - resumed->counter <= 1);
  CHECK(child.watch->log().leaps() == 0);
  CHECK(child.watch->state().errors == 0);
  CHECK(child.watch->state().sweeps > 0);
}

TEST_CASE_METHOD(guest_fixture, "a torn snapshot is seen by the guest in it",
                 "[examples][guest][vm][safety]") {
  if (const auto why = test::guest_obstacle(); !why.empty())
    return test::skip(why);
  auto source = start_source();
  auto& vm = *source.vm;
  branch(vm);
  // A copy that takes its second half 200 ticks later, without protection.
  const auto late = source.watch->last()->counter + 200;
  REQUIRE(source.watch->wait_for_counter(late, in(10s)));
  const auto half = vm.memory_bytes() / 2;
  REQUIRE(vm.copy_memory(scratch.path + "/late", half, half));
  CHECK(replace_ring_pages(memory, scratch.path + "/late", half) > 100);
  auto child = start_child();
  const auto found = child.watch->wait_for_error(in(60s));
  INFO(child.vm->console());
  REQUIRE(found);
  CHECK(found->first_error.find("expected page") != std::string::npos);
  CHECK(source.watch->state().errors == 0);
}

TEST_CASE_METHOD(guest_fixture, "the guest measures how long it stood still",
                 "[examples][guest][vm]") {
  if (const auto why = test::guest_obstacle(); !why.empty())
    return test::skip(why);
  auto source = start_source();
  auto& vm = *source.vm;
  // A busy host hides edges of the clock that the guest compares itself with.
  REQUIRE(
    wait_until(source, [](const auto& x) { return x.seconds_watched > 0; }));
  const auto lost_before = source.watch->state().lost;
  const auto before = std::chrono::steady_clock::now();
  REQUIRE(vm.execute("stop"));
  const auto stopped = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(50ms); // the gap itself, not a wait for anything
  const auto resuming = std::chrono::steady_clock::now();
  REQUIRE(vm.execute("cont"));
  const auto after = std::chrono::steady_clock::now();
  REQUIRE(wait_until(
    source, [&](const auto& x) { return x.lost >= resuming - stopped - 1ms; }));
  CHECK(source.watch->state().lost - lost_before <= after - before + 1ms);
  CHECK(source.watch->longest_silence(before, after).duration()
        >= resuming - stopped);
  CHECK(source.watch->log().leaps() == 0);
}

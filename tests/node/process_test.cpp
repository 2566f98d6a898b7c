// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/process.hpp"

#include <csignal>
#include <fcntl.h>
#include <optional>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/unix_socket.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using std::chrono::steady_clock;

namespace {

/// A child that sleeps until it is killed.
struct sleeper {
  pid_t pid = ::fork();
  process_id id = {};

  sleeper() {
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;)
        ::pause();
    }
    id = identify(pid);
    REQUIRE(id.pid == pid);
  }
  sleeper(const sleeper&) = delete;
  sleeper& operator=(const sleeper&) = delete;
  ~sleeper() { reap(); }
  void kill() const { ::kill(pid, SIGKILL); }
  void reap() {
    if (pid > 0) {
      kill();
      ::waitpid(pid, nullptr, 0);
    }
    pid = -1;
  }
};

/// No descriptor is left while it lives.
struct exhaustion {
  rlimit before = {};
  std::vector<unique_fd> files = {};

  exhaustion() {
    ::getrlimit(RLIMIT_NOFILE, &before);
    auto low = before;
    low.rlim_cur = 256;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int fd = 0; fd >= 0; files.emplace_back(fd))
      fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  exhaustion(const exhaustion&) = delete;
  exhaustion& operator=(const exhaustion&) = delete;
  ~exhaustion() { ::setrlimit(RLIMIT_NOFILE, &before); }
};

} // namespace

TEST_CASE("a process that runs is seen to run", "[node][process]") {
  const sleeper child;
  const auto seen = find_process(child.id);
  CHECK(seen.runs());
  CHECK(seen.pidfd() >= 0);
  CHECK_FALSE(has_ended(seen.pidfd()));
}

TEST_CASE("a process that ended is seen to have ended",
          "[node][process][safety]") {
  sleeper child;
  const auto before = find_process(child.id);
  child.kill();
  CHECK(wait_for_end(before.pidfd(),
                     steady_clock::now() + std::chrono::seconds{30}));
  // Also before it was waited for.
  CHECK(find_process(child.id).has_ended());
  child.reap();
  const auto seen = find_process(child.id);
  CHECK(seen.has_ended());
  CHECK(seen.error().code == ec::vmm_gone);
}

TEST_CASE("another process under its pid is not the one that is looked for",
          "[node][process][safety]") {
  const sleeper child;
  auto earlier = child.id;
  --earlier.start_ticks;
  CHECK(find_process(earlier).has_ended());
}

TEST_CASE("without a descriptor left nothing that lives is taken for dead",
          "[node][process][safety]") {
  const sleeper child;
  sleeper other;
  const auto gone = other.id;
  other.reap();
  // Nothing is checked in there: a sanitizer's check needs a descriptor.
  auto none_left = std::make_optional<exhaustion>();
  const auto seen = find_process(child.id);
  const auto seen_gone = find_process(gone);
  const auto identity = identify(child.pid);
  const auto served = is_served("/nowhere/at-all.sock", SOCK_STREAM);
  none_left.reset();
  CHECK(seen.state() == liveness::unknown);
  CHECK(seen.error().code == ec::vmm_unreachable);
  // What is certain is told all the same.
  CHECK(seen_gone.has_ended());
  CHECK(identity == process_id{});
  REQUIRE_FALSE(served);
  CHECK(served.error().code == ec::vmm_unreachable);
}

TEST_CASE("a process that was never told is not known to have ended",
          "[node][process][safety]") {
  CHECK(find_process({}).state() == liveness::unknown);
  CHECK(find_process({::getpid(), 0}).state() == liveness::unknown);
}

TEST_CASE("a pidfd that is none has not ended", "[node][process][safety]") {
  CHECK_FALSE(has_ended(-1));
  CHECK_FALSE(wait_for_end(-1, steady_clock::now()));
}

TEST_CASE("a program that is too slow is ended, also without a descriptor",
          "[node][process]") {
  const auto slow = run_to_end(
    {"/bin/sleep", "60"}, steady_clock::now() + std::chrono::milliseconds{20});
  REQUIRE_FALSE(slow);
  CHECK(slow.error().code == ec::deadline_exceeded);
  CHECK(
    run_to_end({"/bin/true"}, steady_clock::now() + std::chrono::seconds{30}));
  CHECK_FALSE(
    run_to_end({"/bin/false"}, steady_clock::now() + std::chrono::seconds{30}));
}

TEST_CASE("only the kernel's word makes a socket unserved",
          "[node][process][safety]") {
  const test::scratch_directory home;
  const auto path = home.path() + "/x.sock";
  CHECK(is_served(path, SOCK_STREAM) == false);
  auto listener = listen_unix(path, SOCK_STREAM);
  REQUIRE(listener);
  CHECK(is_served(path, SOCK_STREAM) == true);
  listener->reset();
  CHECK(is_served(path, SOCK_STREAM) == false);
  // It is there, and cannot be asked.
  CHECK_FALSE(is_served(home.path() + "/x.sock/below", SOCK_STREAM));
}

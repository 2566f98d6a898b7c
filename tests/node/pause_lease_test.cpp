// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/pause_lease.hpp"

#include <array>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/unix_socket.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

deadline_point soon() {
  return std::chrono::steady_clock::now() + 20s;
}

/// Answers one connection as a keeper does, and remembers what it was told.
struct played_keeper {
  scratch_directory home = {};
  std::string path = home.path() + "/keeper.sock";
  std::string resumed_reply = "in-time";
  std::vector<std::string> told = {};
  unique_fd listener = {};
  std::jthread thread = {};

  explicit played_keeper(std::string reply = "in-time")
    : resumed_reply{std::move(reply)} {
    auto opened = listen_unix(path, SOCK_SEQPACKET);
    REQUIRE(opened);
    listener = std::move(*opened);
    thread = std::jthread{[this] { serve(); }};
  }

  void serve() {
    if (!wait_readable(listener.get(), soon()))
      return;
    const auto socket =
      unique_fd{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    auto room = std::array<char, 256>{};
    for (;;) {
      const auto got = receive(socket.get(), room, soon());
      if (!got || got->bytes == 0)
        return;
      told.emplace_back(room.data(), got->bytes);
      auto reply = std::string{};
      if (told.back() == "hello")
        reply = "hello " + std::to_string(::getpid()) + " 0 0";
      else if (told.back() == "resumed")
        reply = resumed_reply;
      if (!reply.empty())
        static_cast<void>(
          send_text(socket.get(), reply, -1, soon()).has_value());
    }
  }

  keeper_link connect() const {
    auto link = keeper_link::connect(path, soon());
    REQUIRE(link);
    return std::move(*link);
  }

  /// All that it heard; the link must be gone.
  const std::vector<std::string>& heard() {
    thread.join();
    return told;
  }
};

using words = std::vector<std::string>;

} // namespace

TEST_CASE("the keeper does not rest for a guest that was not seen to run",
          "[node][qemu][pause_lease][safety]") {
  auto keeper = played_keeper{};
  auto warnings = words{};
  {
    auto link = keeper.connect();
    auto lease = pause_lease{};
    REQUIRE(lease.begin(link, 5s));
    lease.end(&link, fail(ec::guest_stuck, "it stands"), warnings);
  }
  CHECK(keeper.heard() == words{"hello", "lease 5250"});
  CHECK(warnings.empty());
}

TEST_CASE("a lease that was not given back is given back when the guest runs",
          "[node][qemu][pause_lease]") {
  auto keeper = played_keeper{};
  auto warnings = words{};
  {
    auto link = keeper.connect();
    auto lease = pause_lease{};
    REQUIRE(lease.begin(link, 5s));
    lease.end(&link, fail(ec::guest_stuck, "it stands"), warnings);
    lease.end(&link, {}, warnings);
    lease.end(&link, {}, warnings);
  }
  CHECK(keeper.heard() == words{"hello", "lease 5250", "resumed"});
}

TEST_CASE("a keeper that had to resume the guest is told of",
          "[node][qemu][pause_lease]") {
  auto keeper = played_keeper{"late"};
  auto warnings = words{};
  {
    auto link = keeper.connect();
    auto lease = pause_lease{};
    REQUIRE(lease.begin(link, 1s));
    lease.end(&link, {}, warnings);
  }
  keeper.heard();
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("the keeper has resumed the guest")
        != std::string::npos);
}

TEST_CASE("without a keeper nothing is told", "[node][qemu][pause_lease]") {
  auto warnings = words{};
  auto lease = pause_lease{};
  lease.end(nullptr, {}, warnings);
  CHECK(warnings.empty());
}

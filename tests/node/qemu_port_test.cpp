// SPDX-License-Identifier: Apache-2.0
// Data that the host sends to a guest that stands: all of it is in a child, the
// buffers and what the device knows of them, or none of it.
#include <array>
#include <atomic>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/support/hand_monitor.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

// Of the first port that is no console: it receives there.
constexpr uint64_t receive_queue = 4;
constexpr int send_interval_ms = 2;

// Sends small messages all the time, and forgets the answers.
class chatter {
public:
  explicit chatter(const std::string& path)
    : socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    auto address = sockaddr_un{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address),
                      sizeof address)
            == 0);
    thread_ = std::thread{[this] { run(); }};
  }
  ~chatter() {
    is_over_ = true;
    thread_.join();
  }
  chatter(const chatter&) = delete;
  chatter& operator=(const chatter&) = delete;

private:
  void run() {
    constexpr std::string_view text = "{\"execute\":\"guest-ping\"}\n";
    auto answer = std::array<char, 4096>{};
    while (!is_over_) {
      ::send(socket_.get(), text.data(), text.size(),
             MSG_NOSIGNAL | MSG_DONTWAIT);
      ::recv(socket_.get(), answer.data(), answer.size(), MSG_DONTWAIT);
      ::poll(nullptr, 0, send_interval_ms);
    }
  }

  unique_fd socket_;
  std::atomic<bool> is_over_ = false;
  std::thread thread_ = {};
};

// Buffers that the device has taken from the guest and not given back: of a
// port that only receives there are none between two commands.
uint64_t buffers_in_use(const std::string& directory) {
  auto qmp = hand_monitor(directory);
  const auto devices = qmp->execute("x-query-virtio", soon());
  REQUIRE(devices);
  for (const auto& x : *devices) {
    if (qemu::text_member(x, "name") != "virtio-serial")
      continue;
    const auto queue =
      qmp->execute("x-query-virtio-queue-status",
                   qemu::json{{"path", qemu::text_member(x, "path")},
                              {"queue", receive_queue}},
                   soon());
    REQUIRE(queue);
    REQUIRE(qemu::number_member(*queue, "used-idx") > 0);
    return qemu::number_member(*queue, "inuse");
  }
  FAIL("no virtio-serial in " + directory);
  return 0;
}

// Takes a branch, or tells why not; the guest runs in any case.
status try_branch(vmm& vm, snapshot_in_making& made) {
  const auto plan = made.plan(branch_mode::live);
  auto done = vm.prepare(plan, soon()).map([](const capture_forecast&) {});
  if (done) {
    done = vm.pause(soon());
    // Something comes while the guest stands.
    ::poll(nullptr, 0, send_interval_ms);
    if (done)
      done = vm.capture(soon());
    const auto resumed = vm.resume(soon());
    REQUIRE(resumed);
  }
  if (done)
    done = vm.drain(soon()).map([](const capture_result&) {});
  if (!done)
    vm.abandon();
  return done;
}

} // namespace

TEST_CASE_METHOD(vm_fixture, "what comes for a standing guest is in its child",
                 "[node][qemu][vm][port][safety]") {
  if (!can_run())
    return;
  auto source = plan("source");
  source.spec.initrd.replace(source.spec.initrd.rfind("initrd.img"),
                             std::string::npos, "initrd-agent.img");
  source.spec.guest_agent = true;
  add_hand_monitor(source);
  const auto vm = start(source);
  const auto allowed = vm->capabilities(soon());
  REQUIRE(allowed);
  if (!allowed->full_is_tracked)
    return skip("memory cannot be tracked here");
  check_guest(*vm, 3000);
  const auto sender = chatter{vm->describe().agent};
  int taken = 0;
  for (int i = 1; i <= 30 && taken < 12; ++i) {
    const auto name = "snapshot-" + std::to_string(i);
    auto made = make_snapshot(name, *vm);
    const auto done = try_branch(*vm, made);
    if (!done) {
      INFO(to_string(done.error()));
      CHECK(done.error().code == ec::vmm_refused);
      continue;
    }
    ++taken;
    vm->commit("root-of-" + name);
    made.files.info.root_hash = "root-of-" + name;
    const auto child = restore(made.files, "child-" + std::to_string(i));
    CHECK(buffers_in_use(home() + "/child-" + std::to_string(i)) == 0);
    CHECK(child->stop(soon()));
  }
  CHECK(taken > 0);
}

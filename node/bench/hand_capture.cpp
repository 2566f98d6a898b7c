// SPDX-License-Identifier: Apache-2.0
#include "node/bench/hand_capture.hpp"

#include <array>
#include <fcntl.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "actors/unique_fd.hpp"

namespace forkfleet::bench {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using qemu::json;
using std::chrono::duration_cast;
using std::chrono::microseconds;

namespace {

/// Reads a pipe to its end, and forgets what it read.
class pipe_drain {
public:
  explicit pipe_drain(int fd)
    : reader_{[fd] {
        static thread_local std::array<char, 1 << 20> buffer;
        while (::read(fd, buffer.data(), buffer.size()) > 0) {
        }
      }} {}
  ~pipe_drain() { reader_.join(); }
  pipe_drain(const pipe_drain&) = delete;
  pipe_drain& operator=(const pipe_drain&) = delete;

private:
  std::thread reader_;
};

/// Our Unix time, by the clock of QEMU's stamps.
microseconds unix_now() {
  return duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

} // namespace

expected<hand_capture> hand_capture::connect(const std::string& socket) {
  auto qmp = qemu::qmp_client::connect(socket, clock::now() + 10s);
  if (!qmp)
    return tl::unexpected(qmp.error());
  return hand_capture{std::move(*qmp)};
}

status hand_capture::set_background(bool on) {
  const auto capabilities =
    json{{"capabilities",
          json::array(
            {json{{"capability", "events"}, {"state", true}},
             json{{"capability", "background-snapshot"}, {"state", on}}})}};
  auto set =
    qmp_->execute("migrate-set-capabilities", capabilities, clock::now() + 5s);
  if (!set)
    return tl::unexpected(set.error());
  auto fast = qmp_->execute("migrate-set-parameters",
                            json{{"max-bandwidth", 17592186044416ull}},
                            clock::now() + 5s);
  return fast ? status{} : status{tl::unexpected(fast.error())};
}

expected<hand_pause> hand_capture::wait_for_pause() {
  const auto stopped = qmp_->wait_event("STOP", clock::now() + 10s);
  if (!stopped)
    return tl::unexpected(stopped.error());
  const auto resumed = qmp_->wait_event("RESUME", clock::now() + 10s);
  if (!resumed)
    return tl::unexpected(resumed.error());
  return hand_pause{unix_now() - stopped->at, resumed->at - stopped->at};
}

expected<hand_pause> hand_capture::background_snapshot() {
  if (auto set = set_background(true); !set)
    return tl::unexpected(set.error());
  auto ends = std::array<int, 2>{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected(errno_failure(errno, "pipe"));
  auto reading = unique_fd{ends[0]};
  auto writing = unique_fd{ends[1]};
  auto drain = pipe_drain{reading.get()};
  if (auto passed = qmp_->execute("getfd", json{{"fdname", "hand"}},
                                  clock::now() + 5s, writing.get());
      !passed)
    return tl::unexpected(passed.error());
  writing = unique_fd{};
  qmp_->forget_events();
  if (auto sent =
        qmp_->execute("migrate", json{{"uri", "fd:hand"}}, clock::now() + 10s);
      !sent)
    return tl::unexpected(sent.error());
  auto pause = wait_for_pause();
  const auto completed = qmp_->wait_event_if(
    [](const qemu::qmp_event& x) {
      return x.name == "MIGRATION"
             && qemu::text_member(x.data, "status") == "completed";
    },
    clock::now() + 120s);
  if (!completed)
    return tl::unexpected(completed.error());
  if (auto unset = set_background(false); !unset)
    return tl::unexpected(unset.error());
  return pause;
}

expected<hand_pause>
hand_capture::device_state(const std::string& scratch_file) {
  qmp_->forget_events();
  const auto until = clock::now() + 10s;
  auto done = qmp_->execute("stop", until);
  if (done)
    done =
      qmp_->execute("xen-save-devices-state",
                    json{{"filename", scratch_file}, {"live", false}}, until);
  auto resumed = qmp_->execute("cont", until);
  if (!done)
    return tl::unexpected(done.error());
  if (!resumed)
    return tl::unexpected(resumed.error());
  return wait_for_pause();
}

} // namespace forkfleet::bench

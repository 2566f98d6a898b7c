// SPDX-License-Identifier: Apache-2.0
// Watches an example guest through the socket of its debug console: what
// tests, the demo and the benchmarks measure pauses with. Knows no CAF.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"
#include "examples/watch_log.hpp"

namespace forkfleet::guest {

/// Reads one guest's records on a thread of its own until it is destroyed or
/// the guest's VM ends. The guest waits when its records are not read, so a
/// watch that lives must not be stopped by a debugger.
class guest_watch {
public:
  /// Connects to the socket at `path`, trying until `deadline`: a VM that is
  /// being started has no socket yet. Error: vmm_unreachable,
  /// invalid_request.
  static expected<std::unique_ptr<guest_watch>> open(const std::string& path,
                                                     host_time deadline);

  guest_watch(const guest_watch&) = delete;
  guest_watch& operator=(const guest_watch&) = delete;
  ~guest_watch();

  /// Everything learned until now.
  watch_log log() const;

  /// The rest answers from the log without copying it.
  std::optional<tick> first() const;
  std::optional<tick> last() const;
  guest_state state() const;
  silence longest_silence(host_time from, host_time to) const;

  /// Waits until the guest's counter has reached `counter`. Error:
  /// deadline_exceeded, or vmm_gone when the VM ended.
  expected<tick> wait_for_counter(uint64_t counter, host_time deadline) const;
  /// Waits for a tick that is heard at or after `when`. Same errors.
  expected<tick> wait_for_tick(host_time when, host_time deadline) const;
  /// Waits until the guest has said that it found errors in its memory,
  /// first_error included. Same errors.
  expected<guest_state> wait_for_error(host_time deadline) const;
  /// True when the VM has closed the connection.
  bool ended() const;

private:
  explicit guest_watch(std::string path, unique_fd socket);

  void read_all();
  template <class Question>
  auto wait_for(const std::string& what, host_time deadline,
                Question question) const
    -> expected<typename decltype(question())::value_type>;

  std::string path_;
  unique_fd socket_;
  mutable std::mutex mutex_;
  mutable std::condition_variable heard_;
  watch_log log_; // guarded by mutex_, like the next
  bool ended_ = false;
  std::thread reader_; // last: it uses all of the above
};

} // namespace forkfleet::guest

// SPDX-License-Identifier: Apache-2.0
// QMP over a Unix socket: one command at a time, a deadline on each call,
// events kept until they are waited for. No thread of its own: what arrives
// is read inside the calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "actors/schema/json_text.hpp"
#include "actors/unique_fd.hpp"
#include "node/qemu/line_reader.hpp"
#include "node/qemu/process.hpp"
#include "node/qemu/socket_server.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

using schema::json;

/// Something that QEMU told by itself. `at` is by QEMU's clock, in Unix
/// time.
struct qmp_event {
  std::string name = {};
  json data = {};
  std::chrono::microseconds at{0};
};

/// The most events that are kept; older ones are dropped.
inline constexpr std::size_t qmp_events_max = 256;

/// The longest line that is taken from QEMU, which a guest may have taken
/// over, and the most values that one may hold.
inline constexpr std::size_t qmp_line_bytes_max = 1u << 20;
inline constexpr std::size_t qmp_values_max = 65536;

/// The longest event whose data is kept; of a longer one only the name is.
inline constexpr std::size_t qmp_event_bytes_max = 4096;

/// One connection. Errors name the socket: vmm_unreachable when there is no
/// connection to be had, vmm_gone when QEMU's process has ended, vmm_refused
/// with QEMU's own words, bounded and harmless, deadline_exceeded. Used by one
/// thread at a time.
class qmp_client {
public:
  /// Connects and negotiates. A socket that is held by another client gives
  /// no greeting: vmm_unreachable says so after `until`.
  /// `known` is the process that must serve it; none: whoever does.
  static expected<std::unique_ptr<qmp_client>>
  connect(const std::string& path, deadline_point until,
          const process_id& known = {});

  /// Runs one command and returns what it returned. `pass` goes along as a
  /// descriptor unless it is -1. After deadline_exceeded the answer may
  /// still come; it is then ignored.
  expected<json> execute(std::string_view command, const json& arguments,
                         deadline_point until, int pass = -1);
  expected<json> execute(std::string_view command, deadline_point until) {
    return execute(command, json::object(), until);
  }

  /// The oldest kept event of this name; waits for one until `until`. Earlier
  /// events of other names stay.
  expected<qmp_event> wait_event(std::string_view name, deadline_point until);

  /// The oldest kept event that `wanted` is true for; waits for one.
  template <class Predicate>
  expected<qmp_event> wait_event_if(Predicate wanted, deadline_point until) {
    for (bool is_first = true;; is_first = false) {
      for (auto i = events_.begin(); i != events_.end(); ++i)
        if (wanted(*i)) {
          auto found = std::move(*i);
          events_.erase(i);
          return found;
        }
      // Also of a QEMU that talks all the time.
      if (!is_first && std::chrono::steady_clock::now() >= until)
        return fail(ec::deadline_exceeded, path_ + ": no such event in time");
      if (auto more = receive_some(until); !more)
        return tl::unexpected(more.error());
    }
  }

  /// Reads what has arrived and forgets all events.
  void forget_events();

  /// Connects again when the connection was lost. Events of the time
  /// between are lost: ask for what they would have told.
  status ensure_connected(deadline_point until);

  /// False after an error that broke the connection.
  bool is_connected() const { return static_cast<bool>(socket_); }

  /// Why QEMU said that it ends, or that its guest did; kept for good.
  const std::optional<qmp_event>& shutdown() const { return shutdown_; }

  /// Readable when something arrived; -1 without a connection.
  int socket() const { return socket_.get(); }

  /// QEMU's version, such as 7.2.22.
  const std::string& version() const { return version_; }

  /// QEMU's process; none when it is in another pid namespace.
  process_id process() const { return server_.process(); }

  const std::string& path() const { return path_; }

private:
  qmp_client(std::string path, const process_id& known)
    : path_{std::move(path)}, server_{known} {}

  status open(deadline_point until);
  status read_greeting(deadline_point until);
  expected<json> answer(uint64_t id, deadline_point until);
  status receive_some(deadline_point until);
  status take_lines();
  status take_line(std::string_view line);
  void keep_event(const json& message, bool with_data);
  void take_rest();
  failure lost(std::string_view why);

  std::string path_;
  unique_fd socket_ = {};
  socket_server server_;
  std::string version_ = {};
  line_reader lines_{qmp_line_bytes_max};
  std::deque<qmp_event> events_ = {};
  std::optional<qmp_event> shutdown_ = {};
  std::optional<json> greeting_ = {};
  std::deque<json> answers_ = {};
  uint64_t next_id_ = 1;
  uint64_t awaited_ = 0; // the answers to others are not kept
};

/// What lies in `value` under `key`; null when there is no such thing.
const json& member(const json& value, std::string_view key);

/// Same, as a text; empty when there is none.
std::string text_member(const json& value, std::string_view key);

/// Same, as a number; 0 when there is none.
uint64_t number_member(const json& value, std::string_view key);

/// Same, as a truth value; false when there is none.
bool bool_member(const json& value, std::string_view key);

} // namespace forkfleet::qemu

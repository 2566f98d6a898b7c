// SPDX-License-Identifier: Apache-2.0
// The error codes, grouped by what the caller does next. Knows no CAF;
// caf_error.hpp carries them through messages.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

#include "actors/schema/fields.hpp"

namespace forkfleet {

/// What went wrong. Numbers are fixed: add, never change.
enum class ec : uint8_t {
  none = 0,
  // 10: correct the request
  invalid_request = 10,
  unknown_sandbox = 11,
  unknown_snapshot = 12,
  snapshot_exists = 13,
  sandbox_exists = 14,
  unsupported = 15,
  not_permitted = 16,
  unknown_operation = 17,
  cancelled = 18,
  limit_reached = 19,
  // 20: try again later, with the same operation id
  node_busy = 20,
  branch_in_progress = 21,
  shutting_down = 22,
  not_ready = 23,
  pause_too_long = 24,
  // 30: unknown; ask for the operation by id before trying again
  node_down = 30,
  deadline_exceeded = 31,
  // 40: the host; try elsewhere or tell the operator
  disk_full = 40,
  io_failed = 41,
  vmm_unreachable = 42,
  vmm_refused = 43,
  interrupted = 44,
  quota_exceeded = 45,
  vmm_gone = 46,
  host_full = 47,
  // 50: a person is needed
  guest_stuck = 50,
  snapshot_corrupt = 51,
  // 60: correct the request, as from 10 on, where no number is left
  operation_conflict = 60,
};

/// What the caller does next; the tens of an `ec`, 60 being more of 10.
enum class ec_group : uint8_t {
  none = 0,
  fix_request = 10,
  later = 20,
  unknown = 30,
  host = 40,
  person = 50,
};

constexpr ec_group group_of(ec x) {
  const auto tens = static_cast<uint8_t>(x) / 10 * 10;
  return tens == 60 ? ec_group::fix_request : static_cast<ec_group>(tens);
}

/// The code's name, as it stands in JSON and in logs.
std::string to_string(ec x);

/// One sentence that tells the caller what to do about it.
std::string_view remedy(ec x);

constexpr auto enum_table(ec) {
  using enum ec;
  return std::to_array<schema::enum_entry<ec>>({
    {none, "none"},
    {invalid_request, "invalid_request"},
    {unknown_sandbox, "unknown_sandbox"},
    {unknown_snapshot, "unknown_snapshot"},
    {snapshot_exists, "snapshot_exists"},
    {sandbox_exists, "sandbox_exists"},
    {unsupported, "unsupported"},
    {not_permitted, "not_permitted"},
    {unknown_operation, "unknown_operation"},
    {cancelled, "cancelled"},
    {limit_reached, "limit_reached"},
    {node_busy, "node_busy"},
    {branch_in_progress, "branch_in_progress"},
    {shutting_down, "shutting_down"},
    {not_ready, "not_ready"},
    {pause_too_long, "pause_too_long"},
    {node_down, "node_down"},
    {deadline_exceeded, "deadline_exceeded"},
    {disk_full, "disk_full"},
    {io_failed, "io_failed"},
    {vmm_unreachable, "vmm_unreachable"},
    {vmm_refused, "vmm_refused"},
    {interrupted, "interrupted"},
    {quota_exceeded, "quota_exceeded"},
    {vmm_gone, "vmm_gone"},
    {host_full, "host_full"},
    {guest_stuck, "guest_stuck"},
    {snapshot_corrupt, "snapshot_corrupt"},
    {operation_conflict, "operation_conflict"},
  });
}

/// A code with its subject: which file, which sandbox, how many bytes. As
/// an outcome, `none` means success.
struct failure {
  ec code = ec::none;
  std::string message = {};

  explicit operator bool() const { return code != ec::none; }
  friend bool operator==(const failure&, const failure&) = default;

  static constexpr schema::about about{
    "failure", "What went wrong, by what the caller does next."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("code", &failure::code,
                    "The error code; none for success."),
      schema::field("message", &failure::message,
                    "The subject: which file, sandbox or limit."),
    };
  }
};

/// "code: message".
std::string to_string(const failure& x);

/// A value, or why there is none.
template <class T>
using expected = tl::expected<T, failure>;

/// Success, or why not.
using status = tl::expected<void, failure>;

/// Makes the failing side of an `expected` or a `status`.
inline tl::unexpected<failure> fail(ec code, std::string message) {
  return tl::unexpected<failure>(failure{code, std::move(message)});
}

/// A failure made of errno's value `number`: ENOSPC is disk_full, EDQUOT is
/// quota_exceeded, all else is `otherwise`. Names `what` was done.
failure errno_failure(int number, std::string_view what,
                      ec otherwise = ec::io_failed);

} // namespace forkfleet

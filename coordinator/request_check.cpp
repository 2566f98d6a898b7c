// SPDX-License-Identifier: Apache-2.0
#include "coordinator/request_check.hpp"

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "actors/labels.hpp"
#include "actors/signing_key.hpp"
#include "coordinator/settings.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t tag_suffix_max = 16;
constexpr std::size_t child_suffix_max = 12;

template <class Id>
status check_id(const Id& id) {
  if (is_valid(id))
    return {};
  using tag = typename Id::tag_type;
  return fail(ec::invalid_request,
              fmt::format("'{}' is no {} name: use 1 to {} letters, digits, "
                          "'-' and '_', not '-' first",
                          id.value.substr(0, tag::length_max), tag::kind,
                          tag::length_max));
}

/// `stem`, a dash, and the end of the operation's id, within `length_max`.
std::string derive(const std::string& stem, const operation_id& operation,
                   std::size_t suffix_max, std::size_t length_max) {
  const auto& id = operation.value;
  const auto begin = id.size() > suffix_max ? id.size() - suffix_max : 0;
  const auto suffix = id.substr(begin);
  return stem.substr(0, length_max - suffix.size() - 1) + "-" + suffix;
}

status complete_deadline(milliseconds& asked, milliseconds otherwise) {
  if (asked < milliseconds::zero() || asked > request_deadline_max)
    return fail(ec::invalid_request,
                fmt::format("deadline_ms is {}; give 0 to {}", asked.count(),
                            request_deadline_max.count()));
  if (asked == milliseconds::zero())
    asked = otherwise;
  return {};
}

status check_archive(const std::string& file) {
  if (is_archive_name(file))
    return {};
  return fail(ec::invalid_request,
              fmt::format("'{}' is no name of an archive: use 1 to {} letters, "
                          "digits, '-', '_' and '.', neither '-' nor '.' "
                          "first, and no path",
                          file.substr(0, archive_name_length_max),
                          archive_name_length_max));
}

} // namespace

operation_id make_operation_id(microseconds unix_time, std::mt19937_64& dice) {
  const auto time = std::chrono::duration_cast<milliseconds>(unix_time).count();
  return {
    fmt::format("op-{:x}-{:012x}", static_cast<uint64_t>(time), dice() >> 16)};
}

snapshot_tag default_tag(const sandbox_id& source,
                         const operation_id& operation) {
  return {derive(source.value, operation, tag_suffix_max,
                 snapshot_tag_tag::length_max)};
}

sandbox_id default_child(const snapshot_tag& tag,
                         const operation_id& operation) {
  return {
    derive(tag.value, operation, child_suffix_max, sandbox_id_tag::length_max)};
}

status complete(branch_request& request, milliseconds deadline) {
  if (auto good = check_id(request.operation); !good)
    return good;
  if (auto good = check_id(request.sandbox); !good)
    return good;
  if (request.tag.empty())
    request.tag = default_tag(request.sandbox, request.operation);
  if (auto good = check_id(request.tag); !good)
    return good;
  if (schema::name_of(request.mode) == "?")
    return fail(ec::invalid_request,
                "mode is none of auto, full, live and diff");
  if (auto good =
        check_change({.labels = request.labels, .note = request.note});
      !good)
    return good;
  if (request.max_pause < milliseconds::zero()
      || request.max_pause > max_pause_most)
    return fail(ec::invalid_request,
                fmt::format("max_pause_ms is {}; give 0 to {}",
                            request.max_pause.count(), max_pause_most.count()));
  return complete_deadline(request.deadline, deadline);
}

status complete(restore_request& request, milliseconds deadline) {
  if (auto good = check_id(request.operation); !good)
    return good;
  if (auto good = check_id(request.tag); !good)
    return good;
  if (request.sandbox.empty())
    request.sandbox = default_child(request.tag, request.operation);
  if (auto good = check_id(request.sandbox); !good)
    return good;
  return complete_deadline(request.deadline, deadline);
}

status complete(flatten_request& request, milliseconds deadline) {
  if (auto good = check_id(request.tag); !good)
    return good;
  return complete_deadline(request.deadline, deadline);
}

status complete(verify_request& request, milliseconds deadline) {
  if (auto good = check_id(request.tag); !good)
    return good;
  return complete_deadline(request.deadline, deadline);
}

status complete(export_request& request, milliseconds deadline) {
  if (auto good = check_id(request.tag); !good)
    return good;
  if (request.file.empty())
    request.file = default_archive(request.tag);
  if (auto good = check_archive(request.file); !good)
    return good;
  return complete_deadline(request.deadline, deadline);
}

status complete(import_request& request, milliseconds deadline) {
  if (auto good = check_id(request.host); !good)
    return good;
  if (auto good = check_archive(request.file); !good)
    return good;
  if (!request.tag.empty())
    if (auto good = check_id(request.tag); !good)
      return good;
  if (!request.trusted_key.empty() && !is_public_key(request.trusted_key))
    return fail(ec::invalid_request,
                "trusted_key: a public key is 64 lower-case hex digits");
  return complete_deadline(request.deadline, deadline);
}

status complete(compare_request& request, milliseconds deadline) {
  if (auto good = check_id(request.tag); !good)
    return good;
  if (auto good = check_id(request.other); !good)
    return good;
  return complete_deadline(request.deadline, deadline);
}

status check_request(const annotate_request& request) {
  if (auto good = check_id(request.tag); !good)
    return good;
  return check_change({.labels = request.labels,
                       .dropped = request.dropped,
                       .has_note = request.has_note,
                       .note = request.note});
}

status check_name(const sandbox_id& id) {
  return check_id(id);
}

status check_name(const snapshot_tag& tag) {
  return check_id(tag);
}

status check_name(const host_name& host) {
  return check_id(host);
}

status check_name(const operation_id& operation) {
  return check_id(operation);
}

} // namespace forkfleet

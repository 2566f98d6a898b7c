// SPDX-License-Identifier: Apache-2.0
// A request's body, read as strictly as Firecracker reads it: every key is
// known, every value has its type, nothing that is needed is missing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/schema/json_text.hpp"

namespace forkfleet::test {

/// Takes the members of one object; the first fault is kept.
class fake_body {
public:
  explicit fake_body(const std::string& text);
  explicit fake_body(schema::json value);

  std::string text(const char* name, bool is_needed = true);
  std::optional<uint64_t> number(const char* name, bool is_needed = true);
  bool flag(const char* name, bool is_needed = false);
  /// A text that is one of `values`.
  std::string choice(const char* name, const std::vector<std::string>& values,
                     bool is_needed = true);
  /// A member that is an object itself; nothing when there is none.
  std::optional<fake_body> object(const char* name, bool is_needed = true);

  /// After all were taken: what is wrong, empty when nothing is.
  std::string fault();
  void fail(const std::string& why);

private:
  const schema::json* take(const char* name, bool is_needed);

  schema::json value_ = {};
  std::vector<std::string> known_ = {};
  std::string fault_ = {};
};

} // namespace forkfleet::test

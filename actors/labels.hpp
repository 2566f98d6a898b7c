// SPDX-License-Identifier: Apache-2.0
// What people say of a snapshot: labels, KEY=VALUE each, and one line of
// text. They are no part of what a snapshot is. Pure. Knows no CAF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet {

/// A page of the longest annotations fits into a frame.
inline constexpr std::size_t labels_max = 8;
inline constexpr std::size_t label_key_length_max = 32;
inline constexpr std::size_t label_value_length_max = 64;
inline constexpr std::size_t note_length_max = 256;

/// Labels and note. Labels are in order of their keys, each key once.
struct annotation {
  std::vector<std::string> labels = {};
  std::string note = {};

  bool empty() const { return labels.empty() && note.empty(); }
  friend bool operator==(const annotation&, const annotation&) = default;
};

/// How an annotation is to change.
struct label_change {
  std::vector<std::string> labels = {};  // added, or with another value
  std::vector<std::string> dropped = {}; // keys
  bool has_note = false;
  std::string note = {};
};

/// The part before the first '='.
std::string_view label_key(std::string_view label);

/// invalid_request with the rule that the text breaks. A key is letters,
/// digits, '-', '_', '.' and '/', and begins with a letter or digit; a value
/// is the same and may be empty.
status check_label_key(std::string_view key);
status check_label(std::string_view label);

/// invalid_request for a note that is too long, or no one line of text.
status check_note(std::string_view note);

/// Checks all that is to change, without knowing what is there.
status check_change(const label_change& change);

/// The annotation after the change. Dropping what is not there is no error.
/// invalid_request when there would be too many labels.
expected<annotation> changed(annotation words, const label_change& change);

/// Whether all of `wanted`, KEY=VALUE or KEY alone, are among the labels.
bool has_labels(const std::vector<std::string>& labels,
                const std::vector<std::string>& wanted);

/// "a=1,b=2".
std::string join_labels(const std::vector<std::string>& labels);

} // namespace forkfleet

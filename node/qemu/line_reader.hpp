// SPDX-License-Identifier: Apache-2.0
// Pure: cuts what a socket brings into lines, and keeps no more than one line
// may have, whatever the other side sends.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace forkfleet::qemu {

class line_reader {
public:
  /// `bytes_max`: of one line, without its end.
  explicit line_reader(std::size_t bytes_max) : bytes_max_{bytes_max} {}

  /// Takes what came. Take all lines out before the next piece comes.
  void append(std::string_view bytes);

  /// The oldest whole line, without its end. Valid until the next call of
  /// `append` or `clear`.
  std::optional<std::string_view> next();

  /// Whether a line came that is longer than allowed: nothing that follows is
  /// given out.
  bool is_too_long() const { return is_too_long_; }

  void clear();

private:
  std::size_t bytes_max_;
  std::string pending_ = {};
  std::size_t begin_ = 0;    // of the first line that was not given out
  std::size_t searched_ = 0; // no line ends before it
  bool is_too_long_ = false;
};

} // namespace forkfleet::qemu

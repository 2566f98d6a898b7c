// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/line_reader.hpp"

namespace forkfleet::qemu {

void line_reader::append(std::string_view bytes) {
  if (is_too_long_)
    return;
  pending_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  pending_.append(bytes);
}

std::optional<std::string_view> line_reader::next() {
  if (is_too_long_)
    return {};
  const auto end = pending_.find('\n', searched_);
  const auto length =
    (end == std::string::npos ? pending_.size() : end) - begin_;
  if (length > bytes_max_) {
    clear();
    is_too_long_ = true;
    return {};
  }
  if (end == std::string::npos) {
    searched_ = pending_.size();
    return {};
  }
  const auto line = std::string_view{pending_}.substr(begin_, length);
  begin_ = end + 1;
  searched_ = begin_;
  return line;
}

void line_reader::clear() {
  pending_ = {};
  begin_ = 0;
  searched_ = 0;
  is_too_long_ = false;
}

} // namespace forkfleet::qemu

// SPDX-License-Identifier: Apache-2.0
// One of QEMU's options with its properties, `file,node-name=a,filename=b`.
// All that goes into such a text goes in here, so that no value can begin
// another property: a comma ends a value unless it is doubled. Pure.
#pragma once

#include <string>
#include <string_view>

namespace forkfleet::qemu {

class option_text {
public:
  /// `first` is what the option is of; it stands before all properties.
  explicit option_text(std::string_view first) { append(first); }

  /// Adds a property. `key` is one of our own texts.
  option_text& set(std::string_view key, std::string_view value) {
    text_ += ',';
    text_ += key;
    text_ += '=';
    append(value);
    return *this;
  }

  std::string take() { return std::move(text_); }

private:
  void append(std::string_view value) {
    for (const char c : value) {
      text_ += c;
      if (c == ',')
        text_ += c;
    }
  }

  std::string text_;
};

} // namespace forkfleet::qemu

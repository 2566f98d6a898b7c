// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/argument_files.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "actors/schema/json_text.hpp"

namespace forkfleet::qemu {

namespace {

constexpr auto readers = std::to_array<std::string_view>(
  {"blockdev", "drive", "device",   "object",     "bios",      "pflash",
   "cdrom",    "hda",   "hdb",      "hdc",        "hdd",       "fda",
   "fdb",      "sd",    "mtdblock", "option-rom", "acpitable", "smbios",
   "fw_cfg",   "dtb",   "shim"});

class path_finder {
public:
  void take(const std::string& value) {
    if (value.starts_with('{'))
      take_json(schema::parse_json(value).value_or(schema::json{}));
    else
      take_list(value);
  }

  std::vector<std::string> result = {};

private:
  void add(std::string_view text) {
    if (text.starts_with('/') && std::ranges::count(result, text) == 0)
      result.emplace_back(text);
  }

  void take_json(const schema::json& value) {
    if (value.is_string())
      add(value.get_ref<const std::string&>());
    else if (value.is_structured())
      for (const auto& part : value)
        take_json(part);
  }

  // key=value,key=value, in which a comma of a value is written twice.
  void take_list(const std::string& text) {
    auto part = std::string{};
    for (std::size_t i = 0; i <= text.size(); ++i) {
      const bool is_comma = i < text.size() && text[i] == ',';
      if (is_comma && i + 1 < text.size() && text[i + 1] == ',')
        part += text[i++];
      else if (is_comma || i == text.size()) {
        add_value(part);
        part.clear();
      } else
        part += text[i];
    }
  }

  // Such as file=/a, file=file:/a, or /a itself.
  void add_value(std::string_view part) {
    if (!part.starts_with('/'))
      part.remove_prefix(part.find('=') + 1);
    constexpr std::string_view protocol = "file:";
    if (part.starts_with(protocol))
      part.remove_prefix(protocol.size());
    add(part);
  }
};

} // namespace

std::vector<std::string>
files_of_arguments(std::span<const std::string> arguments) {
  auto found = path_finder{};
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    auto option = std::string_view{arguments[i - 1]};
    if (!option.starts_with('-'))
      continue;
    option.remove_prefix(option.starts_with("--") ? 2 : 1);
    if (std::ranges::count(readers, option) > 0)
      found.take(arguments[i]);
  }
  return std::move(found.result);
}

} // namespace forkfleet::qemu

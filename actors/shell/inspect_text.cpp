// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/inspect_text.hpp"

#include <fmt/format.h>

#include "actors/shell/figures.hpp"
#include "actors/shell/terminal.hpp"

namespace forkfleet::shell {
namespace {

/// The names of a list are told in one line, and only so many of them.
constexpr std::size_t names_max = 20;

schema::json names_below(const lineage_tree& tree, std::size_t place,
                         bool snapshots) {
  auto result = schema::json::array();
  for (const auto below : tree.entries[place].below) {
    const auto& x = tree.entries[below];
    if (x.is_snapshot == snapshots && !x.is_gone())
      result.push_back(x.name);
  }
  return result;
}

schema::json line_of(const lineage_tree& tree, std::size_t place) {
  auto result = schema::json::array();
  for (auto at = tree.entries[place].above; at; at = tree.entries[*at].above)
    result.push_back(tree.entries[*at].name);
  return result;
}

/// One of a list: a name, what needs a snapshot, or a disk.
std::string item_text(const schema::json& x) {
  if (x.is_string())
    return x.get<std::string>();
  const auto name = x.at("name").get<std::string>();
  if (x.contains("why"))
    return name + " " + x.at("why").get<std::string>();
  return fmt::format("{} of {}: {} in {} layers", name,
                     size_text(x.at("bytes").get<uint64_t>()),
                     size_text(x.at("stored_bytes").get<uint64_t>()),
                     x.at("layers").get<uint64_t>());
}

std::string value_text(const std::string& key, const schema::json& value) {
  if (value.is_string())
    return value.get<std::string>();
  if (value.is_number_unsigned() && key.ends_with("_bytes"))
    return fmt::format("{} ({} bytes)", size_text(value.get<uint64_t>()),
                       value.get<uint64_t>());
  if (value.is_number() && key.ends_with("_at_us"))
    return time_text(microseconds{value.get<int64_t>()});
  if (!value.is_array())
    return value.dump();
  std::string result;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (i == names_max)
      return result + fmt::format(" and {} more", value.size() - i);
    const auto& x = value[i];
    result += (i == 0 ? "" : ", ") + item_text(x);
  }
  return result;
}

} // namespace

schema::json known_of(const lineage_tree& tree, std::size_t place,
                      const std::optional<inspect_report>& report) {
  const auto& x = tree.entries[place];
  schema::json result{{"kind", x.is_snapshot ? "snapshot" : "sandbox"},
                      {"name", x.name},
                      {"lineage", line_of(tree, place)}};
  if (!x.is_snapshot) {
    result["sandbox"] = schema::to_json(*x.sandbox);
    result["snapshots"] = names_below(tree, place, true);
    return result;
  }
  result["children"] = names_below(tree, place, false);
  auto needs = schema::json::array();
  const auto reasons = needs_of(tree, {x.name});
  for (const auto& need : reasons.value_or(std::vector<snapshot_need>{}))
    needs.push_back(
      {{"name", need.name}, {"kind", need.kind}, {"why", need.why}});
  result["needed_by"] = std::move(needs);
  if (report) {
    result["snapshot"] = schema::to_json(report->snapshot);
    result["unique_bytes"] = report->unique_bytes;
    result["disks"] = schema::to_json(*report).at("disks");
    result["is_read"] = report->is_read;
    result["is_due"] = report->is_due;
    result["retention"] = report->retention;
    result["signed_by"] = report->signature;
    auto contract = schema::json::array();
    for (const auto& line : report->contract)
      contract.push_back(line);
    result["contract"] = std::move(contract);
  }
  return result;
}

std::string inspect_text(const schema::json& known) {
  std::string result;
  const auto add = [&result](const auto& self, const std::string& key,
                             const schema::json& value) -> void {
    if (value.is_object()) {
      for (const auto& [name, part] : value.items())
        self(self, key + "." + name, part);
      return;
    }
    // Each of its own, for all of it is to be read.
    if (key == "contract") {
      for (const auto& line : value)
        result +=
          fmt::format("{:<16} {}\n", key, printable(line.get<std::string>()));
      return;
    }
    const auto text = value_text(key, value);
    result +=
      fmt::format("{:<16} {}\n", key, text.empty() ? "-" : printable(text));
  };
  const auto* const inner =
    known.at("kind") == "sandbox" ? "sandbox" : "snapshot";
  add(add, "name", known.at("name"));
  add(add, "kind", known.at("kind"));
  if (known.contains(inner))
    for (const auto& [key, value] : known.at(inner).items())
      add(add, key, value);
  for (const auto& [key, value] : known.items())
    if (key != inner && key != "name" && key != "kind")
      add(add, key, value);
  return result;
}

std::string compare_text(const compare_report& x) {
  if (x.outcome)
    return printable(x.tag.value + " and " + x.other.value + ": "
                     + to_string(x.outcome))
           + "\n";
  auto result =
    fmt::format("{} pages differ, {} in {} runs, of {}\n", x.pages,
                size_text(x.bytes), x.runs, size_text(x.memory_bytes));
  result += fmt::format("{} is shared and was not read; {} of each was "
                        "compared\n",
                        size_text(x.shared_bytes), size_text(x.read_bytes));
  if (x.disk_bytes > 0)
    result += fmt::format("of their disks {} were written since both had the "
                          "same\n",
                          size_text(x.disk_bytes));
  return result;
}

} // namespace forkfleet::shell

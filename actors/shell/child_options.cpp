// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/child_options.hpp"

#include <fmt/format.h>

#include "actors/base64.hpp"
#include "actors/durable_file.hpp"
#include "actors/schema/json.hpp"

namespace forkfleet::shell {

namespace {

// GUEST=LOCAL
expected<guest_file> read_file(const std::string& text) {
  const auto sign = text.find('=');
  if (sign == std::string::npos || sign == 0 || sign + 1 == text.size())
    return fail(ec::invalid_request,
                "--file " + text + ": GUEST_PATH=LOCAL_PATH is wanted");
  const auto content = read_small_file(text.substr(sign + 1), child_bytes_max);
  if (!content)
    return fail(content.error().code, "--file: " + content.error().message);
  return guest_file{text.substr(0, sign), to_base64(*content)};
}

expected<child_line> parse_line(const std::string& text) {
  auto value = schema::parse_json(text);
  if (!value)
    return fail(ec::invalid_request, value.error().message);
  if (!value->is_object())
    return fail(ec::invalid_request, "is no JSON object");
  auto line = child_line{};
  if (const auto name = value->find("name"); name != value->end()) {
    if (!name->is_string())
      return fail(ec::invalid_request, "name: is no text");
    line.name = name->get<std::string>();
    value->erase(name);
  }
  auto input = schema::from_json<child_input>(*value);
  if (!input)
    return fail(ec::invalid_request, input.error().message);
  line.input = std::move(*input);
  return line;
}

} // namespace

std::vector<config::option> child_options() {
  using enum config::value_kind;
  return {
    {.name = "wait",
     .kind = choice,
     .doc = "For what: ready is a guest that acknowledged an identity of its "
            "own, started a VM that runs; auto is ready where the guest has "
            "an agent.",
     .initial = "auto",
     .choices = {"auto", "ready", "started", "none"}},
    {.name = "hostname",
     .kind = text,
     .placeholder = "NAME",
     .doc = "The guest's host name; made from the child's name when left "
            "out."},
    {.name = "env",
     .kind = text,
     .placeholder = "NAME=VALUE",
     .doc = "Also stands in the guest's /run/forkfleet/env.",
     .repeatable = true},
    {.name = "file",
     .kind = text,
     .placeholder = "GUEST=LOCAL",
     .doc = "A small file of this machine that the guest finds.",
     .repeatable = true},
    {.name = "seed",
     .kind = text,
     .placeholder = "TEXT",
     .doc = "Stands in the guest's /run/forkfleet/seed."},
    {.name = "memory-max",
     .kind = bytes,
     .doc = "Memory that the VM may take, with its VMM's own; as its source's "
            "when left out."},
    {.name = "cpu-percent",
     .kind = number,
     .placeholder = "N",
     .doc = "Of one processor; as its source's when left out.",
     .min = limited_cpu_min,
     .max = limited_cpu_max},
    {.name = "pids-max",
     .kind = number,
     .placeholder = "N",
     .doc = "Threads of the VM; as its source's when left out.",
     .min = limited_pids_min,
     .max = limited_pids_max},
  };
}

restore_wait wait_of(const config::invocation& given) {
  for (const auto& entry : enum_table(restore_wait{}))
    if (entry.name == given.text("wait"))
      return entry.value;
  return restore_wait::automatic;
}

sandbox_limits limits_of(const config::invocation& given) {
  return {.memory_bytes =
            given.bytes("memory-max").value_or(config::byte_size{}).value,
          .cpu_percent = given.number("cpu-percent").value_or(0),
          .pids = given.number("pids-max").value_or(0)};
}

expected<child_input> child_input_of(const config::invocation& given) {
  auto input = child_input{.hostname = given.text("hostname"),
                           .environment = given.texts("env"),
                           .seed = given.text("seed")};
  for (const auto& text : given.texts("file")) {
    auto file = read_file(text);
    if (!file)
      return tl::unexpected(file.error());
    input.files.push_back(std::move(*file));
  }
  return input;
}

expected<std::vector<child_line>> read_child_lines(std::istream& in,
                                                   const std::string& name,
                                                   std::size_t lines_max) {
  auto result = std::vector<child_line>{};
  auto text = std::string{};
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    auto line = parse_line(text);
    if (!line)
      return fail(line.error().code,
                  fmt::format("{}:{}: {}", name, number, line.error().message));
    if (result.size() == lines_max)
      return fail(
        ec::invalid_request,
        fmt::format("{}:{}: more than {} children", name, number, lines_max));
    result.push_back(std::move(*line));
  }
  if (result.empty())
    return fail(ec::invalid_request, name + ": holds no child");
  return result;
}

child_input merge(const child_input& all, const child_input& own) {
  auto result = all;
  if (!own.hostname.empty())
    result.hostname = own.hostname;
  if (!own.seed.empty())
    result.seed = own.seed;
  // The shell takes the last of two of the same name.
  result.environment.insert(result.environment.end(), own.environment.begin(),
                            own.environment.end());
  result.files.insert(result.files.end(), own.files.begin(), own.files.end());
  return result;
}

} // namespace forkfleet::shell

// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_survey.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"
#include "actors/fault.hpp"
#include "node/qemu/attached_machine.hpp"

namespace forkfleet::qemu {

namespace {

// QOM's name for a child of this type.
std::string type_of_child(const json& property) {
  auto type = text_member(property, "type");
  constexpr std::string_view begin = "child<";
  if (!type.starts_with(begin) || !type.ends_with('>'))
    return {};
  return type.substr(begin.size(), type.size() - begin.size() - 1);
}

std::string name_in_path(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

class surveyor {
public:
  surveyor(qmp_client& qmp, const survey_plan& plan, deadline_point until)
    : qmp_{qmp}, plan_{plan}, until_{until} {}

  expected<survey> run() {
    for (const auto step :
         {&surveyor::ask_memory, &surveyor::ask_devices, &surveyor::ask_netdevs,
          &surveyor::ask_nodes, &surveyor::ask_backends,
          &surveyor::ask_blockers, &surveyor::look_at_files})
      if (auto done = (this->*step)(); !done)
        return tl::unexpected(done.error());
    return std::move(result_);
  }

private:
  expected<std::string> ask_monitor(const char* line) {
    const auto said = qmp_.execute("human-monitor-command",
                                   json{{"command-line", line}}, until_);
    if (!said)
      return tl::unexpected(said.error());
    return said->is_string() ? said->get<std::string>() : std::string{};
  }

  status ask_memory() {
    const auto text = ask_monitor("info ramblock");
    if (!text)
      return tl::unexpected(text.error());
    auto blocks = parse_ram_blocks(*text);
    if (!blocks)
      return tl::unexpected(blocks.error());
    facts_.ram_blocks = std::move(*blocks);
    const auto address = ask_monitor("gpa2hva 0");
    if (!address)
      return tl::unexpected(address.error());
    result_.memory_begin = parse_host_address(*address);
    const auto backend = qmp_.execute(
      "qom-get", json{{"path", "/machine"}, {"property", "memory-backend"}},
      until_);
    if (!backend)
      return tl::unexpected(backend.error());
    facts_.memory_block =
      backend->is_string() ? name_in_path(backend->get<std::string>()) : "";
    facts_.memory_block_wanted =
      plan_.memory_block.empty() ? facts_.memory_block : plan_.memory_block;
    return {};
  }

  status ask_devices() {
    auto expected_there = devices_of_arguments(plan_.child_arguments);
    for (const std::string place :
         {"/machine/peripheral", "/machine/peripheral-anon"}) {
      const auto asked =
        qmp_.execute("qom-list", json{{"path", place}}, until_);
      if (!asked)
        return tl::unexpected(asked.error());
      for (const auto& property : *asked) {
        auto found = found_device{.type = type_of_child(property)};
        if (found.type.empty())
          continue;
        const auto path = place + "/" + text_member(property, "name");
        const auto late = qmp_.execute(
          "qom-get", json{{"path", path}, {"property", "hotplugged"}}, until_);
        // One that went meanwhile is not one that is known.
        if (!late)
          return tl::unexpected(late.error());
        found.is_hotplugged = late->is_boolean() && late->get<bool>();
        const auto known = std::ranges::find(expected_there, found.type);
        found.is_in_contract = !plan_.attached || known != expected_there.end();
        if (known != expected_there.end())
          expected_there.erase(known);
        facts_.devices.push_back(std::move(found));
      }
    }
    return {};
  }

  status ask_netdevs() {
    const auto text = ask_monitor("info network");
    if (!text)
      return tl::unexpected(text.error());
    auto types = parse_netdevs(*text);
    if (!types)
      return tl::unexpected(types.error());
    facts_.netdevs = std::move(*types);
    return {};
  }

  status ask_nodes() {
    const auto asked =
      qmp_.execute("query-named-block-nodes", json{{"flat", true}}, until_);
    if (!asked)
      return tl::unexpected(asked.error());
    // A drill has these overlooked, to see that the guest finds it out.
    const bool is_seen = fault_point("survey.direct").has_value();
    for (const auto& node : *asked)
      facts_.nodes.push_back(
        {.name = text_member(node, "node-name"),
         .driver = text_member(node, "drv"),
         .file = text_member(node, "file"),
         .is_direct = is_seen && bool_member(member(node, "cache"), "direct")});
    return {};
  }

  status ask_backends() {
    const auto asked =
      qmp_.execute("qom-list", json{{"path", "/objects"}}, until_);
    if (!asked)
      return tl::unexpected(asked.error());
    for (const auto& property : *asked) {
      auto found = found_backend{.id = text_member(property, "name"),
                                 .type = type_of_child(property)};
      if (!found.type.starts_with("memory-backend-")
          || found.id == facts_.memory_block)
        continue;
      const auto shared = qmp_.execute(
        "qom-get",
        json{{"path", "/objects/" + found.id}, {"property", "share"}}, until_);
      if (!shared)
        return tl::unexpected(shared.error());
      found.is_shared = !shared->is_boolean() || shared->get<bool>();
      facts_.backends.push_back(std::move(found));
    }
    return {};
  }

  status ask_blockers() {
    const auto asked = qmp_.execute("query-migrate", until_);
    if (!asked)
      return tl::unexpected(asked.error());
    const auto& blocked = member(*asked, "blocked-reasons");
    if (blocked.is_array())
      for (const auto& reason : blocked)
        facts_.blockers.push_back(reason.is_string() ? reason.get<std::string>()
                                                     : reason.dump());
    return {};
  }

  // What QEMU has open of the host's devices tells what no monitor does.
  status look_at_files() {
    const auto pid = qmp_.process().pid;
    if (pid <= 0)
      return fail(ec::unsupported,
                  qmp_.path()
                    + ": QEMU runs in another pid namespace, and what it has "
                      "open cannot be looked at; run the node where its "
                      "process can be seen");
    if (plan_.attached)
      facts_.undescribed =
        undescribed_option(arguments_of_process(pid), plan_.child_arguments);
    auto error = std::error_code{};
    auto files = std::filesystem::directory_iterator{
      fmt::format("/proc/{}/fd", pid), error};
    for (; !error && files != std::filesystem::directory_iterator{};
         files.increment(error)) {
      // One that was closed meanwhile is none.
      auto gone = std::error_code{};
      const auto path =
        std::filesystem::read_symlink(files->path(), gone).string();
      if (path.starts_with("/dev/v"))
        facts_.host_devices.push_back(path);
    }
    if (error)
      return fail(ec::unsupported,
                  fmt::format("the open files of process {} cannot be looked "
                              "at: {}",
                              pid, error.message()));
    return {};
  }

  qmp_client& qmp_;
  const survey_plan& plan_;
  deadline_point until_;
  survey result_ = {};
  vm_facts& facts_ = result_.facts;
};

} // namespace

expected<survey> survey_vm(qmp_client& qmp, const survey_plan& plan,
                           deadline_point until) {
  return surveyor{qmp, plan, until}.run();
}

expected<std::vector<std::string>> parse_ram_blocks(std::string_view text) {
  auto lines = std::istringstream{std::string{text}};
  auto line = std::string{};
  auto result = std::vector<std::string>{};
  bool has_head = false;
  while (std::getline(lines, line)) {
    auto words = std::istringstream{line};
    auto name = std::string{};
    auto size = std::string{};
    if (!(words >> name))
      continue;
    if (!has_head)
      has_head = name == "Block";
    else if (words >> size)
      result.push_back(std::move(name));
    else
      return fail(ec::vmm_refused,
                  "QEMU's memory blocks: " + bounded_text(line));
  }
  if (!has_head || result.empty())
    return fail(ec::vmm_refused, "QEMU does not tell its memory blocks");
  return result;
}

expected<std::vector<std::string>> parse_netdevs(std::string_view text) {
  auto lines = std::istringstream{std::string{text}};
  auto result = std::vector<std::string>{};
  for (auto line = std::string{}; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    constexpr std::string_view mark = ",type=";
    const auto at = line.find(mark);
    // Headings, a hub's ports without a peer, and filters, which change packets
    // and no memory.
    if (at == std::string::npos
        && (line.starts_with("hub ") || line.starts_with("filters:")
            || line.starts_with("  - ") || line.starts_with(" \\ ")))
      continue;
    if (at == std::string::npos)
      return fail(ec::vmm_refused,
                  "QEMU's network backends: " + bounded_text(line));
    const auto begin = at + mark.size();
    auto type = line.substr(begin, line.find_first_of(",\r", begin) - begin);
    if (type != "nic")
      result.push_back(std::move(type));
  }
  return result;
}

uint64_t parse_host_address(std::string_view text) {
  constexpr std::string_view mark = " is 0x";
  const auto at = text.find(mark);
  if (at == std::string_view::npos)
    return 0;
  text.remove_prefix(at + mark.size());
  uint64_t address = 0;
  std::from_chars(text.data(), text.data() + text.size(), address, 16);
  return address;
}

} // namespace forkfleet::qemu

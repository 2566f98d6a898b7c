// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/api.hpp"

#include <fmt/format.h>

#include "actors/bounded_text.hpp"

namespace forkfleet::firecracker {

namespace {

using schema::json;

// The text of a member, empty when there is none.
std::string text_of(const json& object, const char* name) {
  if (!object.is_object())
    return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>()
                                                     : std::string{};
}

uint64_t number_of(const json& object, const char* name) {
  if (!object.is_object())
    return 0;
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned()
           ? found->get<uint64_t>()
           : 0;
}

bool flag_of(const json& object, const char* name) {
  if (!object.is_object())
    return false;
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

// Firecracker tells errno only within its text.
ec code_of(const std::string& fault) {
  if (fault.find("(os error 28)") != std::string::npos)
    return ec::disk_full;
  if (fault.find("(os error 122)") != std::string::npos)
    return ec::quota_exceeded;
  const bool misunderstood =
    fault.find("deserializing the json body") != std::string::npos
    || fault.find("Invalid request method") != std::string::npos;
  return misunderstood ? ec::unsupported : ec::vmm_refused;
}

tl::unexpected<failure> fault_of(const std::string& target,
                                 const http_answer& answer) {
  auto fault = std::string{};
  if (const auto body = schema::parse_json(answer.body))
    fault = text_of(*body, "fault_message");
  if (fault.empty())
    fault = "it gave no reason";
  return fail(code_of(fault), fmt::format("{}: {} ({})", target,
                                          bounded_text(fault), answer.code));
}

bool is_success(unsigned code) {
  return code >= 200 && code < 300;
}

constexpr unsigned bytes_to_mib_shift = 20;

} // namespace

expected<json> api::get(const std::string& target, deadline_point until) {
  const auto answer = http_.call({.target = target}, until);
  if (!answer)
    return tl::unexpected(answer.error());
  if (!is_success(answer->code))
    return fault_of(target, *answer);
  auto value = schema::parse_json(answer->body);
  if (!value)
    return fail(ec::unsupported,
                path() + target + ": " + value.error().message);
  return value;
}

status api::send(http_verb verb, const std::string& target, const json& body,
                 deadline_point until) {
  const auto answer = http_.call(
    {.verb = verb, .target = target, .body = schema::dump(body)}, until);
  if (!answer)
    return tl::unexpected(answer.error());
  if (!is_success(answer->code))
    return fault_of(target, *answer);
  return {};
}

expected<vmm_version> api::version(deadline_point until) {
  if (version_)
    return *version_;
  const auto body = get("/version", until);
  if (!body)
    return tl::unexpected(body.error());
  const auto version = parse_version(text_of(*body, "firecracker_version"));
  if (!version)
    return version;
  if (*version < version_min)
    return fail(ec::unsupported,
                fmt::format("Firecracker {} is older than {}",
                            to_string(*version), to_string(version_min)));
  version_ = *version;
  return version;
}

expected<instance_state> api::state(deadline_point until) {
  const auto body = get("/", until);
  if (!body)
    return tl::unexpected(body.error());
  const auto name = text_of(*body, "state");
  if (name == "Running")
    return instance_state::running;
  if (name == "Paused")
    return instance_state::paused;
  if (name == "Not started")
    return instance_state::not_started;
  return fail(ec::unsupported, path() + ": its state is '" + name + "'");
}

expected<machine_config> api::machine(deadline_point until) {
  const auto body = get("/machine-config", until);
  if (!body)
    return tl::unexpected(body.error());
  return machine_config{.vcpus = number_of(*body, "vcpu_count"),
                        .memory_bytes = number_of(*body, "mem_size_mib")
                                        << bytes_to_mib_shift,
                        .tracks = flag_of(*body, "track_dirty_pages")};
}

expected<std::vector<drive>> api::drives(deadline_point until) {
  const auto body = get("/vm/config", until);
  if (!body)
    return tl::unexpected(body.error());
  auto result = std::vector<drive>{};
  const auto found = body->find("drives");
  if (found == body->end() || !found->is_array())
    return result;
  for (const auto& x : *found)
    result.push_back({.id = text_of(x, "drive_id"),
                      .path = text_of(x, "path_on_host"),
                      .is_root = flag_of(x, "is_root_device"),
                      .is_readonly = flag_of(x, "is_read_only")});
  return result;
}

status api::set(const boot_source& x, deadline_point until) {
  auto body = json{{"kernel_image_path", x.kernel}};
  if (!x.initrd.empty())
    body["initrd_path"] = x.initrd;
  if (!x.arguments.empty())
    body["boot_args"] = x.arguments;
  return send(http_verb::put, "/boot-source", body, until);
}

status api::set(const machine_config& x, deadline_point until) {
  return send(http_verb::put, "/machine-config",
              json{{"vcpu_count", x.vcpus},
                   {"mem_size_mib", x.memory_bytes >> bytes_to_mib_shift},
                   {"track_dirty_pages", x.tracks}},
              until);
}

status api::add(const drive& x, deadline_point until) {
  return send(http_verb::put, "/drives/" + x.id,
              json{{"drive_id", x.id},
                   {"path_on_host", x.path},
                   {"is_root_device", x.is_root},
                   {"is_read_only", x.is_readonly}},
              until);
}

status api::set_serial(const std::string& path, deadline_point until) {
  return send(http_verb::put, "/serial", json{{"serial_out_path", path}},
              until);
}

status api::start(deadline_point until) {
  return send(http_verb::put, "/actions",
              json{{"action_type", "InstanceStart"}}, until);
}

status api::load(const snapshot_paths& from, deadline_point until) {
  const auto known = version(until);
  if (!known)
    return tl::unexpected(known.error());
  auto body = json{{"snapshot_path", from.vmstate},
                   {"mem_backend", json{{"backend_type", "File"},
                                        {"backend_path", from.memory}}},
                   {"resume_vm", false}};
  body[rules_of(*known).tracking_key] = true;
  return send(http_verb::put, "/snapshot/load", body, until);
}

status api::pause(deadline_point until) {
  return send(http_verb::patch, "/vm", json{{"state", "Paused"}}, until);
}

status api::resume(deadline_point until) {
  return send(http_verb::patch, "/vm", json{{"state", "Resumed"}}, until);
}

status api::create(snapshot_kind kind, const snapshot_paths& to,
                   deadline_point until) {
  return send(
    http_verb::put, "/snapshot/create",
    json{{"snapshot_type", kind == snapshot_kind::full ? "Full" : "Diff"},
         {"snapshot_path", to.vmstate},
         {"mem_file_path", to.memory}},
    until);
}

} // namespace forkfleet::firecracker

#[derive(Clone, Copy, Debug, Default)]
pub struct OutputLimit {
    pub hard_bytes: u64,
    pub soft_bytes: u64,
    pub soft_seconds: u64,
}
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalAccess {
    #[default]
    No,
    Local,
    Yes,
}
#[derive(Clone, Debug)]
pub struct Settings {
    pub databases: u32,
    pub output_limits: [OutputLimit; 3],
    pub maxmemory_bytes: u64,
    pub enable_debug_command: LocalAccess,
    pub requirepass: String,
    pub proto_max_bulk_bytes: u64,
    pub query_buffer_bytes_max: u64,
    pub turn_output_bytes_max: usize,
    pub turn_read_bytes_max: usize,
    pub slowlog_threshold_us: i64,
    pub slowlog_len_max: u64,
    pub latency_threshold_ms: u64,
    pub timeout_s: u32,
}
impl Default for Settings {
    fn default() -> Self {
        Settings {
            databases: 16,
            output_limits: [OutputLimit::default(); 3],
            maxmemory_bytes: 0,
            enable_debug_command: LocalAccess::No,
            requirepass: String::new(),
            proto_max_bulk_bytes: 512 << 20,
            query_buffer_bytes_max: 1 << 30,
            turn_output_bytes_max: 1 << 20,
            turn_read_bytes_max: 65536,
            slowlog_threshold_us: 10000,
            slowlog_len_max: 128,
            latency_threshold_ms: 0,
            timeout_s: 0,
        }
    }
}

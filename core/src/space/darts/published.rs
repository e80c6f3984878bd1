//! Published cells.

use super::Genotype;

/// Names of the published cells.
pub const NAMES: [&str; 4] = ["amoebanet_a", "darts_v1", "darts_v2", "nasnet_a"];

/// AmoebaNet-A: Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019.
const AMOEBANET_A: &str = "Genotype(\
    normal=[('avg_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), \
    ('avg_pool_3x3', 3), ('sep_conv_3x3', 1), ('skip_connect', 1), ('skip_connect', 0), ('avg_pool_3x3', 1)], \
    normal_concat=[4, 5, 6], \
    reduce=[('avg_pool_3x3', 0), ('sep_conv_3x3', 1), ('max_pool_3x3', 0), ('sep_conv_7x7', 2), ('sep_conv_7x7', 0), \
    ('avg_pool_3x3', 1), ('max_pool_3x3', 0), ('max_pool_3x3', 1), ('conv_7x1_1x7', 0), ('sep_conv_3x3', 5)], \
    reduce_concat=[3, 4, 6])";

/// DARTS, first order: Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019.
const DARTS_V1: &str = "Genotype(\
    normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), \
    ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], normal_concat=[2, 3, 4, 5], \
    reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), \
    ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat=[2, 3, 4, 5])";

/// DARTS, second order: the same paper.
const DARTS_V2: &str = "Genotype(\
    normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), \
    ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], \
    reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), \
    ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])";

/// NASNet-A: Zoph et al., Learning Transferable Architectures for Scalable Image Recognition, CVPR 2018.
const NASNET_A: &str = "Genotype(\
    normal=[('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 0), ('sep_conv_3x3', 0), ('avg_pool_3x3', 1), \
    ('skip_connect', 0), ('avg_pool_3x3', 0), ('avg_pool_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 1)], \
    normal_concat=[2, 3, 4, 5, 6], \
    reduce=[('sep_conv_5x5', 1), ('sep_conv_7x7', 0), ('max_pool_3x3', 1), ('sep_conv_7x7', 0), ('avg_pool_3x3', 1), \
    ('sep_conv_5x5', 0), ('skip_connect', 3), ('avg_pool_3x3', 2), ('sep_conv_3x3', 2), ('max_pool_3x3', 1)], \
    reduce_concat=[4, 5, 6])";

/// The published genotype of this name.
pub fn genotype(name: &str) -> Option<Genotype> {
    let text = match name {
        "amoebanet_a" => AMOEBANET_A,
        "darts_v1" => DARTS_V1,
        "darts_v2" => DARTS_V2,
        "nasnet_a" => NASNET_A,
        _ => return None,
    };
    Genotype::parse(text).ok()
}

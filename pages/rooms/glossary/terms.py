"""Every term there is: its symbol and name, its definition from the words of the pages, and the pages that show it."""

from dataclasses import dataclass

from pages.rooms.duality import text as duality
from pages.rooms.fisher import text as fisher
from pages.rooms.live import screen
from pages.rooms.mechanism import text as mechanism
from pages.rooms.predictors import text as predictors
from pages.rooms.sample import text as sample
from pages.rooms.sweeps import text as sweeps
from pages.rooms.train import text as train
from pages.text import definitions, structural


@dataclass(frozen=True)
class Term:
    """One entry. symbol: TeX, or none; text: the definition, with places for present numbers; pages: by name;
    also: other words that it is looked for by."""

    name: str
    symbol: str
    text: str
    pages: tuple[str, ...]
    also: str = ""


TERMS = (
    Term(
        "Curvature",
        "H",
        definitions.H,
        ("start", "commutativity", "power_law"),
        "Hessian eigenvector direction v_i H_ii",
    ),
    Term("Noise", "C", definitions.C, ("start", "commutativity", "power_law"), "covariance gradient g_p C_ii"),
    Term(
        "Predicted noise",
        r"C_\mathrm{AWD}",
        definitions.C_AWD,
        ("start", "power_law", "dynamics"),
        "C_AWD partner ΔW v u",
    ),
    Term(
        "Size of the prediction",
        r"\mathrm{tr}\,C_\mathrm{AWD}",
        definitions.SIZE,
        ("start", "power_law"),
        "trace scale",
    ),
    Term("Samples, batch, weights", r"N,\ B,\ D", definitions.SIZES, ("train",), "mini-batch dimension"),
    Term("Noise in the curvature's axes", "K", definitions.K, ("start", "commutativity"), "heatmap eigenbasis K_ij"),
    Term(
        "Correlation, and chance",
        r"R_\mathrm{real},\ R_\mathrm{rand}",
        definitions.R,
        ("start", "commutativity"),
        "Haar",
    ),
    Term(
        "Off the diagonal", r"\langle R_{ij}^2\rangle", definitions.OFF_DIAGONAL, ("commutativity",), "p value random"
    ),
    Term(
        "Structural null",
        r"\delta_{\pi(p)} \otimes a_p",
        structural.STRUCTURAL,
        ("commutativity", "held_out"),
        "permuted",
    ),
    Term("Commutator error", r"\lVert HC - CH\rVert", definitions.COMMUTATOR, ("commutativity", "dynamics"), "commute"),
    Term("Eigen alignment", "", definitions.ALIGNMENT, ("commutativity", "dynamics"), "diagonal share"),
    Term("Rank correlation", r"\rho", definitions.SPEARMAN, ("dynamics", "power_law"), "Spearman order"),
    Term("Frobenius norm", r"\lVert M\rVert_F", definitions.NORMS, ("dynamics",), "size"),
    Term(
        "Exponent", r"\gamma", definitions.GAMMA, ("start", "power_law", "dynamics", "table"), "gamma slope power law"
    ),
    Term(
        "Bounds of the points",
        r"H_{ii}^2 \le \mathrm{E}[h^2]_{ii} \le \kappa_{\max} H_{ii}",
        definitions.BOUNDS,
        ("power_law", "suppression", "sandbox"),
        "theorem Jensen wedge exponent",
    ),
    Term("Directions fitted", r"\mathcal N", definitions.WINDOW, ("power_law",), "window N"),
    Term("Noise floor", r"\varepsilon", definitions.FLOOR, ("power_law",), "rounding shade"),
    Term("Numbers of a fit", r"R^2,\ n", definitions.FITS, ("power_law",), "standard error interval local slope"),
    Term(
        "How sure an exponent is", "", definitions.SURE, ("start", "power_law"), "jackknife bootstrap seeds interval p"
    ),
    Term("Residuals", "", definitions.RESIDUALS, ("power_law",), "decades running median"),
    Term("Second-order fit", "", definitions.BEND, ("power_law",), "parabola bend"),
    Term("A slope by hand", "", definitions.BY_HAND, ("power_law",), "drag rms off"),
    Term("Local slope", "", definitions.LOCAL, ("power_law",), "window decade sweep"),
    Term("Mean squared curvature", r"\mathrm{E}[h^2]", definitions.E_H2, ("power_law", "suppression"), "theorem E_h2"),
    Term("Effective curvature", r"\kappa_\mathrm{eff}", definitions.EFFECTIVE, ("power_law",), "kappa"),
    Term(
        "Curvatures of single samples", r"\kappa_m,\ \alpha_m", definitions.SPECTRA, ("suppression",), "kappa alpha u_m"
    ),
    Term("Correlation of curvature and alignment", "r", mechanism.MAP, ("sandbox",), "kappa alpha map q_p"),
    Term("What a direction sees", r"s_\kappa,\ s_H", mechanism.SEEN, ("sandbox",), "kappa alpha widths"),
    Term("Hessian of one sample", "h_p", sample.ONE, ("sample",), "M delta"),
    Term("Kronecker product", r"M \otimes a a^{\mathsf T}", sample.KRONECKER, ("sample",), "block"),
    Term("Sharpest curvature and confidence", r"\kappa_1,\ p", sample.STIFF, ("sample",), "kappa two classes"),
    Term("Curvatures of one sample", r"\kappa_m", sample.SPECTRUM, ("sample",), "kappa eigenvalues rank"),
    Term("Directions of one sample", r"u_m,\ v_i", sample.EIGENVECTOR, ("sample",), "eigenvector"),
    Term("Alignment of one sample", r"\alpha_{mi}", sample.ALIGNED, ("sample",), "alpha"),
    Term("Dual change of weights", r"\Delta W^*", duality.CHANGES, ("duality",), "activity a partner rank one"),
    Term("Both terms of first order", r"v,\ u", duality.GRADIENT, ("duality",), "gradient Hessian activity"),
    Term("Error of first order", "", duality.FIRST_ORDER, ("duality",), "relative near far"),
    Term("Covariance from differences", "", duality.COVARIANCE, ("duality",), "C_AWD pairs trace size"),
    Term("The Fisher argument", "C = H/B", fisher.ARGUMENT, ("fisher",), "likelihood empirical true"),
    Term("One basis for all", r"M_{ii}", fisher.FIGURES, ("fisher",), "diagonal divided"),
    Term("True Fisher matrix", "F", fisher.FIRST, ("fisher",), "H softmax labels drawn"),
    Term("Empirical Fisher matrix", r"\mathrm{E}[g g^{\mathsf T}]", fisher.SECOND, ("fisher",), "labels confidence"),
    Term("Mean gradient", r"\bar g", fisher.THIRD, ("fisher",), "BC minimum"),
    Term("Slopes of the argument", r"\gamma", fisher.SLOPES, ("fisher",), "power law"),
    Term("Sizes of the argument", "", fisher.SIZES, ("fisher",), "sum"),
    Term(
        "Predictors of the noise",
        r"C_\mathrm{odds},\ C_\mathrm{loss}",
        predictors.PREDICTED,
        ("predictors",),
        "C_odds C_loss odds bound H/B",
    ),
    Term("Distance of a predictor", "", predictors.DISTANCE, ("predictors",), "absolute scale Frobenius"),
    Term("What if", "", definitions.WHAT_IF, ("power_law",), "one setting changed train anew"),
    Term("Frame of a film", "", screen.WHAT, ("film",), "live training"),
    Term("Stiff samples", "", definitions.STIFF, ("suppression",), "stiff ratio kappa"),
    Term("Suppression", "", definitions.SUPPRESSION, ("suppression",), "tail factor damping homogenise keep"),
    Term("New noise on old", "", definitions.NEW_ON_OLD, ("suppression",), "slope"),
    Term("Share of the noise", "", definitions.CARRIED, ("suppression",), "cumulative eigenvalues"),
    Term(
        "Parts of the prediction", r"C_{hh},\ C_{hg},\ C_{gg}", definitions.PARTS, ("dynamics",), "C_hh C_hg C_gg cross"
    ),
    Term("Approximations", r"C_{hh}^{sd+wd+li}", definitions.APPROXIMATIONS, ("dynamics",), "sd wd li sigma_w"),
    Term("Accuracy", "", definitions.ACCURACY, ("start", "dynamics"), "loss right"),
    Term("Learnt", "", definitions.LEARNED, ("dynamics",), "dash-dotted 100 %"),
    Term("Training data", "", train.DATA, ("train",), "samples label noise"),
    Term("Studied layer", "W", train.NETWORK, ("train",), "weights d_out d_in"),
    Term("What it costs", "", train.COST, ("train",), "seconds memory operations"),
    Term("Cell of a table", "", sweeps.TABLE, ("table",), "sweep seeds deviation"),
    Term("Beyond the paper's numbers", "", sweeps.BEYOND, ("table",), "crossed decade N_eff distance C to X"),
    Term("Predicted against measured exponents", "", sweeps.PREDICTED, ("table",), "agreement diagonal"),
    Term("Check by brute force", "", definitions.CHECK, ("start",), "float64 differentiate"),
)

"""Records what skl2onnx and onnxmltools export: exporters.py CASES. Each estimator is fitted on data of its kind and answers 20 rows."""

import sys
import warnings

import lightgbm
import numpy as np
import xgboost
from onnxmltools.convert import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as MLFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn import calibration, cluster, compose, cross_decomposition, datasets, decomposition, discriminant_analysis, dummy, ensemble, feature_extraction, feature_selection
from sklearn import gaussian_process, impute, isotonic, kernel_approximation, linear_model, mixture, multiclass, multioutput, naive_bayes, neighbors, neural_network, pipeline
from sklearn import preprocessing, random_projection, svm, tree

from recorder import record

warnings.filterwarnings("ignore")
ROOT = sys.argv[1]
X, Y = (a for a in datasets.load_wine(return_X_y=True))
X = X.astype(np.float32)
TWO = (Y > 0).astype(np.int64)
T = datasets.load_diabetes().target[: len(X)].astype(np.float32)
HOLES = X.copy()
HOLES[::7, 2] = np.nan
SMALL = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
TEXT = np.array([["a", "x"], ["b", "y"], ["c", "x"], ["a", "z"]] * 20)
WORDS = np.array(["the penguin walks", "a bar and a penguin", "nothing here", "walks into the bar"] * 10)

CLASSIFIERS = [
    linear_model.LogisticRegression(max_iter=500), linear_model.LogisticRegressionCV(max_iter=200, cv=3), linear_model.SGDClassifier(loss="log_loss"), linear_model.Perceptron(),
    linear_model.PassiveAggressiveClassifier(), linear_model.RidgeClassifier(), linear_model.RidgeClassifierCV(), svm.SVC(probability=True), svm.SVC(), svm.LinearSVC(), svm.NuSVC(nu=0.2),
    tree.DecisionTreeClassifier(), tree.ExtraTreeClassifier(), ensemble.RandomForestClassifier(20), ensemble.ExtraTreesClassifier(20), ensemble.GradientBoostingClassifier(n_estimators=20),
    ensemble.HistGradientBoostingClassifier(max_iter=20), ensemble.AdaBoostClassifier(n_estimators=10), ensemble.BaggingClassifier(n_estimators=5),
    ensemble.VotingClassifier([("a", linear_model.LogisticRegression(max_iter=500)), ("b", naive_bayes.GaussianNB())], voting="soft"),
    ensemble.StackingClassifier([("a", tree.DecisionTreeClassifier(max_depth=3)), ("b", naive_bayes.GaussianNB())], cv=3),
    naive_bayes.GaussianNB(), naive_bayes.BernoulliNB(), naive_bayes.MultinomialNB(), naive_bayes.ComplementNB(), neighbors.KNeighborsClassifier(), neighbors.NearestCentroid(),
    neural_network.MLPClassifier((16,), max_iter=100), discriminant_analysis.LinearDiscriminantAnalysis(), discriminant_analysis.QuadraticDiscriminantAnalysis(),
    calibration.CalibratedClassifierCV(linear_model.LogisticRegression(max_iter=500), cv=3), multiclass.OneVsRestClassifier(linear_model.LogisticRegression(max_iter=500)),
    multiclass.OneVsOneClassifier(linear_model.LogisticRegression(max_iter=500)), dummy.DummyClassifier(),
    gaussian_process.GaussianProcessClassifier(),
]
REGRESSORS = [
    linear_model.LinearRegression(), linear_model.Ridge(), linear_model.Lasso(), linear_model.ElasticNet(), linear_model.LassoLars(), linear_model.BayesianRidge(), linear_model.HuberRegressor(max_iter=1000),
    linear_model.SGDRegressor(), linear_model.TheilSenRegressor(), linear_model.RANSACRegressor(), linear_model.PoissonRegressor(), linear_model.GammaRegressor(), linear_model.TweedieRegressor(),
    linear_model.QuantileRegressor(), linear_model.ARDRegression(), linear_model.OrthogonalMatchingPursuit(), svm.SVR(), svm.LinearSVR(), svm.NuSVR(),
    tree.DecisionTreeRegressor(), tree.ExtraTreeRegressor(), ensemble.RandomForestRegressor(20), ensemble.ExtraTreesRegressor(20), ensemble.GradientBoostingRegressor(n_estimators=20),
    ensemble.HistGradientBoostingRegressor(max_iter=20), ensemble.AdaBoostRegressor(n_estimators=10), ensemble.BaggingRegressor(n_estimators=5),
    ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=3))]), ensemble.StackingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=3))], cv=3),
    neighbors.KNeighborsRegressor(), neighbors.RadiusNeighborsRegressor(radius=5), neural_network.MLPRegressor((16,), max_iter=100), gaussian_process.GaussianProcessRegressor(),
    cross_decomposition.PLSRegression(2), dummy.DummyRegressor(), multioutput.MultiOutputRegressor(linear_model.Ridge()),
]
TRANSFORMERS = [
    preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.MaxAbsScaler(), preprocessing.RobustScaler(), preprocessing.Normalizer(), preprocessing.Binarizer(threshold=1),
    preprocessing.PolynomialFeatures(2), preprocessing.PowerTransformer(), preprocessing.QuantileTransformer(n_quantiles=50), preprocessing.KBinsDiscretizer(4), preprocessing.SplineTransformer(),
    decomposition.PCA(3), decomposition.IncrementalPCA(3), decomposition.TruncatedSVD(3), decomposition.KernelPCA(3, kernel="rbf"), cluster.KMeans(3, n_init=3), cluster.MiniBatchKMeans(3, n_init=3),
    feature_selection.SelectKBest(k=4), feature_selection.VarianceThreshold(), feature_selection.SelectFromModel(tree.DecisionTreeClassifier()), feature_selection.RFE(linear_model.Ridge(), n_features_to_select=4),
    random_projection.GaussianRandomProjection(4), kernel_approximation.Nystroem(n_components=10), ensemble.IsolationForest(n_estimators=20), ensemble.RandomTreesEmbedding(n_estimators=5), neighbors.LocalOutlierFactor(novelty=True),
    mixture.GaussianMixture(3), mixture.BayesianGaussianMixture(n_components=3), svm.OneClassSVM(), neighbors.NearestNeighbors(n_neighbors=3), neighbors.NeighborhoodComponentsAnalysis(n_components=2),
]
left_out = []


def attempt(name, make):
    """Records one case. What the converter itself refuses, or onnxruntime does not run, is no case: it is listed."""
    try:
        make()
    except Exception as e:
        left_out.append(f"{name}: {type(e).__name__}: {str(e).splitlines()[0][:100] if str(e) else ''}")


def sklearn_cases():
    for group, models in [("classifier", CLASSIFIERS), ("regressor", REGRESSORS), ("transformer", TRANSFORMERS)]:
        for i, m in enumerate(models):
            name = type(m).__name__
            nonnegative = "NB" in name or name in ("PoissonRegressor", "GammaRegressor", "TweedieRegressor")
            data = np.abs(SMALL) if nonnegative else SMALL
            target = {"classifier": Y, "regressor": T, "transformer": Y}[group]
            if isinstance(m, multioutput.MultiOutputRegressor) or name == "PLSRegression":
                target = np.stack([T, T * 2], 1)

            def make(m=m, data=data, target=target, name=f"sklearn_{group}_{i:02d}_{name}"):
                m.fit(data, target)
                record(ROOT, name, to_onnx(m, data[:1], options={"zipmap": False} if group == "classifier" else None, target_opset={"": 19, "ai.onnx.ml": 3}), [{"X": data[::9]}, {"X": data[:1]}])

            attempt(name, make)


def particular_cases():
    logistic = linear_model.LogisticRegression(max_iter=500).fit(SMALL, Y)
    attempt("zipmap", lambda: record(ROOT, "sklearn_zipmap", to_onnx(logistic, SMALL[:1]), [{"X": SMALL[:3]}]))
    named = linear_model.LogisticRegression(max_iter=500).fit(SMALL, np.array(["a", "b", "c"])[Y])
    attempt("zipmap of names", lambda: record(ROOT, "sklearn_zipmap_names", to_onnx(named, SMALL[:1]), [{"X": SMALL[:3]}]))
    attempt("columns", lambda: record(ROOT, "sklearn_zipmap_columns", to_onnx(named, SMALL[:1], options={"zipmap": "columns"}), [{"X": SMALL[:3]}]))
    table = compose.ColumnTransformer([
        ("numbers", pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler()), [0, 1, 2]),
        ("more", preprocessing.MinMaxScaler(), [3, 4]),
    ])
    steps = pipeline.make_pipeline(table, linear_model.LogisticRegression(max_iter=500)).fit(HOLES, Y)
    attempt("table", lambda: record(ROOT, "sklearn_pipeline_table", to_onnx(steps, HOLES[:1], options={"zipmap": False}), [{"X": HOLES[::9]}]))
    for name, encoder in [("onehot", preprocessing.OneHotEncoder(handle_unknown="ignore")), ("ordinal", preprocessing.OrdinalEncoder())]:
        encoder.fit(TEXT)
        feed = TEXT[:5].copy()
        if name == "onehot":
            feed[0, 0] = "unseen"
        attempt(name, lambda: record(ROOT, f"sklearn_{name}", to_onnx(encoder, initial_types=[("X", StringTensorType([None, 2]))]), [{"X": feed.astype(object)}]))
    labels = preprocessing.LabelEncoder().fit(TEXT[:, 0])
    attempt("labels", lambda: record(ROOT, "sklearn_label_encoder", to_onnx(labels, initial_types=[("X", StringTensorType([None]))]), [{"X": TEXT[:5, 0].astype(object)}]))
    for name, vectorizer in [("tfidf", feature_extraction.text.TfidfVectorizer()), ("counts", feature_extraction.text.CountVectorizer(ngram_range=(1, 2)))]:
        vectorizer.fit(WORDS)
        attempt(name, lambda: record(ROOT, f"sklearn_{name}", to_onnx(vectorizer, initial_types=[("X", StringTensorType([None, 1]))]), [{"X": WORDS[:4, None].astype(object)}]))
    for name, imputer in [("mean", impute.SimpleImputer()), ("constant", impute.SimpleImputer(strategy="constant", fill_value=-1)), ("knn", impute.KNNImputer())]:
        imputer.fit(HOLES)
        attempt(name, lambda: record(ROOT, f"sklearn_imputer_{name}", to_onnx(imputer, HOLES[:1]), [{"X": HOLES[::5]}]))


def boosting_cases():
    xgb = {
        "classifier": (xgboost.XGBClassifier(n_estimators=20, max_depth=4), Y), "binary": (xgboost.XGBClassifier(n_estimators=20), TWO), "regressor": (xgboost.XGBRegressor(n_estimators=20), T),
        "forest": (xgboost.XGBRFRegressor(n_estimators=20), T), "poisson": (xgboost.XGBRegressor(objective="count:poisson", n_estimators=10), T), "dart": (xgboost.XGBClassifier(booster="dart", n_estimators=10), TWO),
        "ranker": (xgboost.XGBRegressor(objective="reg:logistic", n_estimators=10), TWO),
    }
    for name, (m, y) in xgb.items():
        def make(m=m, y=y, name=name):
            m.fit(HOLES, y)
            record(ROOT, f"xgboost_{name}", convert_xgboost(m, initial_types=[("X", MLFloat([None, X.shape[1]]))], target_opset=15), [{"X": HOLES[::9]}])
        attempt(f"xgboost {name}", make)
    lgb = {
        "classifier": (lightgbm.LGBMClassifier(n_estimators=20, verbose=-1), Y), "binary": (lightgbm.LGBMClassifier(n_estimators=20, verbose=-1), TWO), "regressor": (lightgbm.LGBMRegressor(n_estimators=20, verbose=-1), T),
        "goss": (lightgbm.LGBMRegressor(boosting_type="goss", n_estimators=10, verbose=-1), T), "dart": (lightgbm.LGBMClassifier(boosting_type="dart", n_estimators=10, verbose=-1), Y),
        "forest": (lightgbm.LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, n_estimators=10, verbose=-1), T), "tweedie": (lightgbm.LGBMRegressor(objective="tweedie", n_estimators=10, verbose=-1), T),
    }
    for name, (m, y) in lgb.items():
        def make(m=m, y=y, name=name):
            m.fit(X, y)
            record(ROOT, f"lightgbm_{name}", convert_lightgbm(m, initial_types=[("X", MLFloat([None, X.shape[1]]))], target_opset=15, zipmap=name == "binary"), [{"X": X[::9]}])
        attempt(f"lightgbm {name}", make)


sklearn_cases()
particular_cases()
boosting_cases()
for line in left_out:
    print("left out:", line, file=sys.stderr)
